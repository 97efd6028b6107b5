import type { MaybePromise } from '@holdfast/session-manager';
import type { NodeContext } from './node-context.js';

/** How long items are collected, in milliseconds. */
const COLLECTED_MS = 10;
/** How many are collected at most: to begin the work of all takes a part of one turn of the event loop. */
const MAX_COLLECTED = 100;

/**
 * Collects items for a moment, and then begins the work of all of them in one turn of the event loop. What this tells a
 * store leaves in one packet, and a packet for each costs more than all the rest. An error is reported.
 */
export class Collector<T> {
	readonly #context: NodeContext;
	readonly #work: (item: T) => MaybePromise<unknown>;
	readonly #collected = new Set<T>();
	#stop: (() => void) | undefined;
	/** Work that was begun and is not over; never rejects. */
	readonly #running = new Set<Promise<void>>();

	constructor(context: NodeContext, work: (item: T) => MaybePromise<unknown>) {
		this.#context = context;
		this.#work = work;
	}

	/** Adds an item, unless it is there already. */
	add(item: T): void {
		this.#collected.add(item);
		const { clock } = this.#context;
		// Where timers end with the request that set them, it may be long until the next one.
		if (this.#collected.size >= MAX_COLLECTED || clock.requestBegins !== undefined) this.#begin();
		else this.#stop ??= clock.after(COLLECTED_MS, () => this.#begin());
	}

	/** Begins the work of what was collected now, and resolves once all is over that was begun. Never rejects. */
	async flush(): Promise<void> {
		this.#begin();
		await Promise.all(this.#running);
	}

	#begin(): void {
		this.#stop?.();
		this.#stop = undefined;
		const items = [...this.#collected];
		this.#collected.clear();
		for (const item of items) {
			const work: Promise<void> = this.#attempt(item).finally(() => this.#running.delete(work));
			this.#running.add(work);
		}
	}

	async #attempt(item: T): Promise<void> {
		try {
			await this.#work(item);
		} catch (error) {
			this.#context.report(error);
		}
	}
}
