/** How many keys are kept at least before those at zero are forgotten. */
const KEPT_KEYS = 1024;

/**
 * Counts by key. A key whose count is back at zero is forgotten later, together with others: a `Map` whose entries come
 * and go with each request leaves a used-up table in the old generation every few requests.
 */
export class Tally {
	readonly #counts = new Map<string, number>();
	#sweepAt = KEPT_KEYS;

	/** How many keys are kept, those at zero included. */
	get size(): number {
		return this.#counts.size;
	}

	/** Returns the count of `key`, zero for an unknown one. */
	get(key: string): number {
		return this.#counts.get(key) ?? 0;
	}

	/** Adds `amount`, which may be negative, to the count of `key`. */
	add(key: string, amount: number): void {
		const count = this.#counts.get(key);
		if (count === undefined && this.#counts.size >= this.#sweepAt) this.#sweep();
		this.#counts.set(key, (count ?? 0) + amount);
	}

	#sweep(): void {
		for (const [key, count] of this.#counts) if (count === 0) this.#counts.delete(key);
		this.#sweepAt = Math.max(KEPT_KEYS, 2 * this.#counts.size);
	}
}
