import { setImmediate } from 'node:timers/promises';
import type { MaybePromise } from '@holdfast/session-manager';
import type { Range } from '../contract/conversation-store.js';

/** How many messages or discoveries are read at once, and how many bytes of them. */
const PAGE = { limit: 200, maxBytes: 8 * 1_048_576 };

/** Reads all messages or discoveries in pages, from the last to the first: what is added meanwhile is not in them. */
export async function* pagesOf<T extends { readonly number: number }>(
	read: (range: Range) => MaybePromise<readonly T[]>,
): AsyncGenerator<readonly T[]> {
	for (let before: number | undefined; before !== 1; ) {
		const page = await read({ before, ...PAGE });
		before = page[0]?.number;
		if (before === undefined) return;
		yield page;
		// A store may have answered at once: others get their turn.
		await setImmediate();
	}
}
