import type { Clock } from '@holdfast/session-manager';

/** How many items expire in one turn of the event loop. */
const EXPIRED_AT_ONCE = 100;

/**
 * Calls `onexpired` with each item whose deadline was not cancelled within `afterMs` milliseconds. All wait for the
 * same time, so one timer and the order of arrival are enough.
 *
 * The deadlines are a linked list. A `Set` of them leaves a used-up table in the old generation every few requests, and
 * what such a table still names lives until the next full collection.
 */
export class DeadlineQueue<T> {
	readonly #clock: Clock;
	readonly #afterMs: number;
	readonly #onexpired: (item: T) => void;
	/** Before the first deadline and after the last. */
	readonly #ends = new Deadline<T>(undefined, Number.POSITIVE_INFINITY);
	#stop: (() => void) | undefined;

	constructor(clock: Clock, afterMs: number, onexpired: (item: T) => void) {
		this.#clock = clock;
		this.#afterMs = afterMs;
		this.#onexpired = onexpired;
	}

	/** Starts to wait for an item. */
	add(item: T): Deadline<T> {
		const deadline = new Deadline(item, this.#clock.monotonic() + this.#afterMs);
		deadline.insertBefore(this.#ends);
		if (this.#stop === undefined) this.#wait(this.#afterMs);
		return deadline;
	}

	/** Stops the timer and drops every item. */
	close(): void {
		this.#stop?.();
		this.#stop = undefined;
		while (this.#ends.next !== this.#ends) this.#ends.next.cancel();
	}

	#wait(ms: number): void {
		this.#stop?.();
		this.#stop = this.#clock.after(ms, () => this.#expire());
	}

	#expire(): void {
		this.#stop = undefined;
		const now = this.#clock.monotonic();
		for (let expired = 0; ; expired++) {
			const { next } = this.#ends;
			const { at, item } = next;
			if (item === undefined) return;
			if (at > now || expired >= EXPIRED_AT_ONCE) {
				// What was added meanwhile waits for longer.
				this.#wait(Math.max(0, at - now));
				return;
			}
			next.cancel();
			this.#onexpired(item);
		}
	}
}

/** One item that waits in a {@link DeadlineQueue}. */
export class Deadline<T> {
	item: T | undefined;
	/** When it expires, on the monotonic clock. */
	readonly at: number;
	previous: Deadline<T> = this;
	next: Deadline<T> = this;

	constructor(item: T | undefined, at: number) {
		this.item = item;
		this.at = at;
	}

	/** For the queue: takes the place before `next`. */
	insertBefore(next: Deadline<T>): void {
		this.next = next;
		this.previous = next.previous;
		next.previous.next = this;
		next.previous = this;
	}

	/** Stops waiting for the item. Idempotent. */
	cancel(): void {
		this.item = undefined;
		this.previous.next = this.next;
		this.next.previous = this.previous;
		this.previous = this;
		this.next = this;
	}
}
