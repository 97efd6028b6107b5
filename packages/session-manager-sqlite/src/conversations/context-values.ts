import {
	bytesOfEntry,
	type ContextWrite,
	type ContextWritten,
	keysToArchive,
	textOfValue,
} from '@holdfast/conversations/custom';
import { bound, type Row, type SqliteConnection, textOf } from '../file/connection.js';
import { placeOf } from './places.js';
import { keyOf, valueVersionAt } from './rows.js';
import { contextStatements, headStatements } from './statements.js';
import { addWords, removeWords } from './words.js';

/** What is to be written to the context of a conversation. */
export interface ValueChange {
	readonly key: string;
	readonly expected: string | undefined;
	readonly write: ContextWrite | undefined;
	readonly maxBytes: number | undefined;
}

/** Writes a value of the conversation of `row`, or removes it. See `ConversationStore.setContext`. */
export function writeValue(
	db: SqliteConnection,
	row: Row,
	{ key, expected, write, maxBytes }: ValueChange,
): ContextWritten | false {
	const conversation = keyOf(row);
	const stored = db.get(contextStatements.read, conversation, bound(key));
	if (expected !== '*' && (stored && valueVersionAt(keyOf(stored))) !== expected) return false;
	const version = Number(row['changes']) + 1;
	const bytes = write === undefined ? 0 : bytesOfEntry(key, write.value);
	const archived =
		write === undefined || maxBytes === undefined
			? []
			: toArchive(db, conversation, { key, bytes, accessedAt: write.at }, maxBytes);
	if (stored !== undefined) removeValue(db, keyOf(stored));
	db.run(headStatements.changed, version, bytes - Number(stored?.['bytes'] ?? 0), conversation);
	if (write === undefined) return { archived };
	const { value, at, by } = write;
	const place = placeOf(conversation, version);
	const addedAt = Number(stored?.['added_at'] ?? at);
	const texts = [bound(key), JSON.stringify(value)] as const;
	const author = by === undefined ? null : bound(by);
	db.run(contextStatements.insert, place, conversation, ...texts, bytes, addedAt, at, at, author);
	addWords(db, 'context', place, textOfValue(key, value));
	for (const other of archived) db.run(contextStatements.archive, conversation, bound(other));
	return { version: valueVersionAt(place), archived };
}

/** Removes the value at a place. */
export function removeValue(db: SqliteConnection, key: number): void {
	removeWords(db, 'context', key);
	db.run(contextStatements.remove, key);
}

/** Reads the other values only where there is too little room: they may be many. */
function toArchive(
	db: SqliteConnection,
	conversation: number,
	written: { readonly key: string; readonly bytes: number; readonly accessedAt: number },
	maxBytes: number,
): string[] {
	const others = Number(db.get(contextStatements.otherBytes, conversation, bound(written.key))?.['bytes']);
	if (others + written.bytes <= maxBytes) return [];
	const rows = db.all(contextStatements.others, conversation, bound(written.key));
	const measured = rows.map(({ name, bytes, accessed_at }) => ({
		key: textOf(name),
		bytes: Number(bytes),
		accessedAt: Number(accessed_at),
	}));
	return keysToArchive(measured, written, maxBytes);
}
