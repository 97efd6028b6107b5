import type { Clock } from '../contract/clock.js';

/** How often this process notes that it runs, in milliseconds. */
const TICK_MS = 1_000;
/** A process that did not run for so long may have lost its streams to others, in milliseconds. */
const STALL_MS = 4 * TICK_MS;

/**
 * Finds out that this process was stopped for a while, or its loop was blocked. What it hears then is old: others may
 * have taken its streams, and said so behind what waits to be read.
 */
export class StallWatch {
	readonly #clock: Clock;
	readonly #isNeeded: () => boolean;
	readonly #onstall: () => void;
	/** When this process was last seen to run, on the monotonic clock; infinite while nothing here is to be told. */
	#tickedAt = Number.POSITIVE_INFINITY;
	#stopTick: (() => void) | undefined;

	/** Watches from {@link start} on for as long as `isNeeded`. */
	constructor(clock: Clock, isNeeded: () => boolean, onstall: () => void) {
		this.#clock = clock;
		this.#isNeeded = isNeeded;
		this.#onstall = onstall;
	}

	/** Begins to watch, unless that goes on already. */
	start(): void {
		if (this.#stopTick === undefined) this.#tick();
	}

	/** Must be called before what was heard is handled: the timer may be late. */
	check(): void {
		const now = this.#clock.monotonic();
		if (now - this.#tickedAt <= STALL_MS) return;
		this.#tickedAt = now;
		this.#onstall();
	}

	stop(): void {
		this.#stopTick?.();
	}

	#tick(): void {
		this.#tickedAt = this.#clock.monotonic();
		this.#stopTick = this.#clock.after(TICK_MS, () => {
			this.#stopTick = undefined;
			this.check();
			if (this.#isNeeded()) this.start();
			else this.#tickedAt = Number.POSITIVE_INFINITY;
		});
	}
}
