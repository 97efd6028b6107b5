/** How many items one step takes: Redis does nothing else meanwhile. */
const MAX_ITEMS = 50;

interface Waiting<T> {
	readonly item: T;
	readonly done: () => void;
	readonly fail: (error: unknown) => void;
}

/** Does together what is asked for in one turn of the event loop. */
export class TurnBatch<T> {
	readonly #step: (items: readonly T[]) => Promise<unknown>;
	#waiting: Waiting<T>[] = [];

	/** `step` does the work of some items; where it rejects, each of them has failed. */
	constructor(step: (items: readonly T[]) => Promise<unknown>) {
		this.#step = step;
	}

	/** Resolves once the work of `item` is done. */
	add(item: T): Promise<void> {
		return new Promise((done, fail) => {
			if (this.#waiting.length === 0) process.nextTick(() => this.begin());
			this.#waiting.push({ item, done, fail });
		});
	}

	/** Begins what was asked for, so that what is begun after this comes after it. */
	begin(): void {
		const waiting = this.#waiting;
		this.#waiting = [];
		for (let from = 0; from < waiting.length; from += MAX_ITEMS) {
			const some = waiting.slice(from, from + MAX_ITEMS);
			this.#step(some.map(({ item }) => item)).then(
				() => {
					for (const { done } of some) done();
				},
				(error: unknown) => {
					for (const { fail } of some) fail(error);
				},
			);
		}
	}
}
