/** How many items one step takes: Redis does nothing else meanwhile. */
const MAX_ITEMS = 50;

interface Waiting<T, R> {
	readonly item: T;
	readonly done: (result: R) => void;
	readonly fail: (error: unknown) => void;
}

/** Does together what is asked for in one turn of the event loop. */
export class TurnBatch<T, R> {
	readonly #step: (items: readonly T[]) => Promise<R>;
	#waiting: Waiting<T, R>[] = [];

	/** `step` does the work of some items; where it rejects, each of them has failed. */
	constructor(step: (items: readonly T[]) => Promise<R>) {
		this.#step = step;
	}

	/** Does the work of `item`, and returns the result of its step. */
	add(item: T): Promise<R> {
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
				(result) => {
					for (const { done } of some) done(result);
				},
				(error: unknown) => {
					for (const { fail } of some) fail(error);
				},
			);
		}
	}
}
