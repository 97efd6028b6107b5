import type { Clock } from '@holdfast/session-manager';

/**
 * Calls `onexpired` with each item that was not deleted within `afterMs` milliseconds. All wait for the same time, so
 * one timer and the order of arrival are enough.
 */
export class DeadlineQueue<T> {
	readonly #clock: Clock;
	readonly #afterMs: number;
	readonly #onexpired: (item: T) => void;
	/** When each item expires, on the monotonic clock. */
	readonly #items = new Map<T, number>();
	#stop: (() => void) | undefined;

	constructor(clock: Clock, afterMs: number, onexpired: (item: T) => void) {
		this.#clock = clock;
		this.#afterMs = afterMs;
		this.#onexpired = onexpired;
	}

	/** Starts to wait for an item. */
	add(item: T): void {
		this.#items.set(item, this.#clock.monotonic() + this.#afterMs);
		this.#stop ??= this.#clock.after(this.#afterMs, () => this.#expire());
	}

	/** Stops waiting for an item. */
	delete(item: T): void {
		this.#items.delete(item);
	}

	/** Stops the timer and drops every item. */
	close(): void {
		this.#stop?.();
		this.#stop = undefined;
		this.#items.clear();
	}

	#expire(): void {
		this.#stop = undefined;
		const now = this.#clock.monotonic();
		for (const [item, at] of this.#items) {
			if (at > now) {
				this.#stop ??= this.#clock.after(at - now, () => this.#expire());
				return;
			}
			this.#items.delete(item);
			this.#onexpired(item);
		}
	}
}
