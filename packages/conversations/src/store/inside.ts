import type { Range } from '../contract/conversation-store.js';

/** Returns the newest items of a range, in ascending order. `items` are ascending. */
export function inside<T extends { readonly number: number }>(items: readonly T[], range: Range): T[] {
	const { before = Number.POSITIVE_INFINITY, after = 0, limit } = range;
	const end = countOf(items, (number) => number < before);
	const start = countOf(items, (number) => number <= after);
	return limit <= 0 ? [] : newestOf(items.slice(Math.max(start, end - limit), end), range.maxBytes);
}

/** Returns the newest items that have `maxBytes` together, and in any case the newest. `items` are ascending. */
export function newestOf<T>(items: T[], maxBytes = Number.POSITIVE_INFINITY): T[] {
	if (maxBytes === Number.POSITIVE_INFINITY) return items;
	let [first, bytes] = [items.length, 0];
	for (; first > 0; first--) {
		bytes += Buffer.byteLength(JSON.stringify(items[first - 1]));
		if (bytes > maxBytes && first < items.length) break;
	}
	return items.slice(first);
}

/** Returns how many of the first items have a number as wanted. A search: items may be many, and pages too. */
function countOf(items: readonly { readonly number: number }[], isWanted: (number: number) => boolean): number {
	let [low, high] = [0, items.length];
	while (low < high) {
		const middle = (low + high) >>> 1;
		if (isWanted(items[middle]?.number ?? 0)) low = middle + 1;
		else high = middle;
	}
	return low;
}
