import type { Clock } from '@holdfast/session-manager';

/** The shortest time between two sweeps, in milliseconds, however many sessions expire one after another. */
const MIN_INTERVAL_MS = 25;

/** One timer for all sessions of a node. It sweeps when the next session may expire, and at least once per interval. */
export class SweepTimer {
	readonly #clock: Clock;
	readonly #intervalMs: number;
	readonly #sweep: () => void;
	#stop: (() => void) | undefined;
	/** When the next sweep is, on the monotonic clock. */
	#at = Number.POSITIVE_INFINITY;
	#closed = false;

	constructor(clock: Clock, intervalMs: number, sweep: () => void) {
		this.#clock = clock;
		this.#intervalMs = intervalMs;
		this.#sweep = sweep;
	}

	/** There is to be a sweep at the date `time`, if none is before it. */
	by(time: number): void {
		if (this.#closed) return;
		const delayMs = Math.min(Math.max(time - this.#clock.now(), MIN_INTERVAL_MS), this.#intervalMs);
		const at = this.#clock.monotonic() + delayMs;
		if (at >= this.#at) return;
		this.#stop?.();
		this.#at = at;
		this.#stop = this.#clock.after(delayMs, () => {
			this.#stop = undefined;
			this.#at = Number.POSITIVE_INFINITY;
			this.#sweep();
		});
	}

	/** Stops the timer for good. */
	close(): void {
		this.#closed = true;
		this.#stop?.();
	}
}
