import type { Clock } from '@holdfast/session-manager';

/** However many sessions expire one after another, they are looked through no more often, in milliseconds. */
const MIN_INTERVAL_MS = 25;

/** One timer for all sessions of a node: it sweeps when the next one may expire, and at least once an interval. */
export class SweepTimer {
	readonly #clock: Clock;
	readonly #intervalMs: number;
	readonly #sweep: () => void;
	#stop: (() => void) | undefined;
	/** When the next sweep is. */
	#at = Number.POSITIVE_INFINITY;
	#closed = false;

	constructor(clock: Clock, intervalMs: number, sweep: () => void) {
		this.#clock = clock;
		this.#intervalMs = intervalMs;
		this.#sweep = sweep;
	}

	/** There is to be a sweep at `time`, if none is before it. */
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

	close(): void {
		this.#closed = true;
		this.#stop?.();
	}
}
