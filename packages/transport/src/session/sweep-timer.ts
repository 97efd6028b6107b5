import type { Clock } from '@holdfast/session-manager';

/** The shortest time between two sweeps, in milliseconds, however many sessions expire one after another. */
const MIN_INTERVAL_MS = 25;

/** One timer for all sessions of a node. It sweeps when the next session may expire, and at least once per interval. */
export class SweepTimer {
	readonly #clock: Clock;
	readonly #intervalMs: number;
	readonly #sweep: () => void;
	#stop: (() => void) | undefined;
	/** When the next sweep is due. */
	#at = Number.POSITIVE_INFINITY;
	#closed = false;

	constructor(clock: Clock, intervalMs: number, sweep: () => void) {
		this.#clock = clock;
		this.#intervalMs = intervalMs;
		this.#sweep = sweep;
	}

	/** Makes sure that there is a sweep at `time` or earlier. Sweeps are at least 25 ms apart. */
	by(time: number): void {
		if (this.#closed) return;
		const now = this.#clock.now();
		const at = Math.min(Math.max(time, now + MIN_INTERVAL_MS), now + this.#intervalMs);
		if (at >= this.#at) return;
		this.#stop?.();
		this.#at = at;
		this.#stop = this.#clock.after(at - now, () => {
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
