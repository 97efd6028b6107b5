import type { Range } from '../contract/conversation-store.js';

/** Returns the newest items of a range, in ascending order. `items` are ascending. */
export function inside<T extends { readonly number: number }>(items: readonly T[], range: Range): T[] {
	const { before = Number.POSITIVE_INFINITY, after = 0, limit } = range;
	const found = items.filter(({ number }) => number < before && number > after);
	return limit <= 0 ? [] : found.slice(-limit);
}
