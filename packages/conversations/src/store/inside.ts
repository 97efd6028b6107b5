import type { Range } from '../contract/conversation-store.js';

/** Returns the newest items of a range, in ascending order. `items` are ascending. */
export function inside<T extends { readonly number: number }>(items: readonly T[], range: Range): T[] {
	const newest = new NewestItems<T>(range);
	newest.add(items);
	return newest.found;
}

/** Collects the newest items of a range from parts of all, of which the newest comes first. */
export class NewestItems<T extends { readonly number: number }> {
	/** In ascending order, without a hole between them. */
	found: T[] = [];
	readonly #range: Range;
	#bytes = 0;
	#isFull = false;

	constructor(range: Range) {
		this.#range = range;
	}

	/** Adds what fits of the next part, which is ascending. Returns whether older items may fit as well. */
	add(items: readonly T[]): boolean {
		const { before = Number.POSITIVE_INFINITY, after = 0, limit } = this.#range;
		const end = countOf(items, (number) => number < before);
		const start = Math.max(
			countOf(items, (number) => number <= after),
			end - (limit - this.found.length),
		);
		if (start < end && !this.#isFull) {
			const first = this.#firstThatFits(items, start, end);
			this.found = [...items.slice(first, end), ...this.found];
			this.#isFull = first > start;
		}
		return !this.#isFull && this.found.length < limit;
	}

	#firstThatFits(items: readonly T[], start: number, end: number): number {
		const { maxBytes } = this.#range;
		if (maxBytes === undefined) return start;
		let first = end;
		for (; first > start; first--) {
			this.#bytes += Buffer.byteLength(JSON.stringify(items[first - 1]));
			const isNewest = first === end && this.found.length === 0;
			if (this.#bytes > maxBytes && !isNewest) break;
		}
		return first;
	}
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
