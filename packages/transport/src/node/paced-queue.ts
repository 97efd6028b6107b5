import type { MaybePromise } from '@holdfast/session-manager';
import { isThenable } from '@holdfast/session-manager/custom';
import type { NodeContext } from './node-context.js';

/**
 * How many items are worked on at once: enough to keep a store busy, and few enough that other calls do not wait behind
 * them.
 */
const AT_ONCE = 25;

/**
 * Does the same work for many items, in the order in which they were added, a bounded number at a time. The event loop
 * goes on in between. An error is reported.
 */
export class PacedQueue<T> {
	readonly #context: NodeContext;
	readonly #work: (item: T) => MaybePromise<unknown>;
	readonly #waiting = new Set<T>();
	#running = 0;

	constructor(context: NodeContext, work: (item: T) => MaybePromise<unknown>) {
		this.#context = context;
		this.#work = work;
	}

	/** Adds an item, unless it waits already. Its work begins at once where there is room. */
	add(item: T): void {
		this.#waiting.add(item);
		if (this.#running >= AT_ONCE) return;
		this.#running++;
		this.#next();
	}

	/** Drops every item that waits. */
	clear(): void {
		this.#waiting.clear();
	}

	#next(): void {
		for (const item of this.#waiting) {
			this.#waiting.delete(item);
			this.#begin(item);
			return;
		}
		this.#running--;
	}

	#begin(item: T): void {
		// A store that fails at once, or answers at once, must not hold the turn of the event loop.
		const over = () => void this.#context.clock.after(0, () => this.#next());
		const failed = (error: unknown) => {
			this.#context.report(error);
			over();
		};
		try {
			const done = this.#work(item);
			if (isThenable(done)) Promise.resolve(done).then(over, failed);
			else over();
		} catch (error) {
			failed(error);
		}
	}
}
