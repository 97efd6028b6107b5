import { ConversationError } from '../contract/conversation-error.js';
import type { ContextEntry } from '../contract/conversation-record.js';
import type { HistoryRoom } from '../contract/conversation-store.js';

type Measured = Pick<ContextEntry, 'key' | 'bytes' | 'accessedAt'>;

/**
 * Returns the keys that move to the archive so that `written` and what stays of `others` fit into `maxBytes`: a fifth
 * of the others, rounded up, those unused for longest, again and again until there is room. Throws where the value
 * alone is too large.
 */
export function keysToArchive(others: readonly Measured[], written: Measured, maxBytes: number): string[] {
	if (written.bytes > maxBytes) {
		throw new ConversationError(
			'limit',
			`"${written.key}" has ${written.bytes} bytes, and the whole context may have ${maxBytes}: store a summary of it.`,
		);
	}
	let left = [...others].sort((one, other) => one.accessedAt - other.accessedAt);
	let bytes = written.bytes + left.reduce((sum, entry) => sum + entry.bytes, 0);
	const archived: string[] = [];
	while (bytes > maxBytes) {
		const moved = left.slice(0, Math.ceil(left.length / 5));
		left = left.slice(moved.length);
		bytes -= moved.reduce((sum, entry) => sum + entry.bytes, 0);
		for (const { key } of moved) archived.push(key);
	}
	return archived;
}

/** Returns how many messages move to the archive when the working history has `live` of them. */
export function messagesToArchive(live: number, { keep, batch }: HistoryRoom): number {
	return live <= keep ? 0 : Math.min(live, Math.ceil((live - keep) / batch) * batch);
}
