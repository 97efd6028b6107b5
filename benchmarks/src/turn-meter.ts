import { readFileSync } from 'node:fs';
import { pid } from 'node:process';

/** How often it looks, in milliseconds. */
const TICK_MS = 1;
/** Of the main thread: the time that it ran and the time that it waited for a core, in nanoseconds. Linux has it. */
const file = `/proc/self/task/${pid}/schedstat`;

/**
 * Measures how long the event loop of this process was kept by its own work. Where processes share few cores, a timer is
 * late as well because others run: that time is taken off.
 */
export class TurnMeter {
	#longestMs = 0;
	#timer: NodeJS.Timeout | undefined;

	/** The longest turn since {@link start}, in milliseconds. */
	get longestMs(): number {
		return this.#longestMs;
	}

	start(): void {
		this.#longestMs = 0;
		let lookedAt = performance.now();
		let waitedMs = coreWaitMs();
		this.#timer = setInterval(() => {
			const now = performance.now();
			const waitedNowMs = coreWaitMs();
			this.#longestMs = Math.max(this.#longestMs, now - lookedAt - (waitedNowMs - waitedMs) - TICK_MS);
			lookedAt = now;
			waitedMs = waitedNowMs;
		}, TICK_MS);
	}

	stop(): void {
		clearInterval(this.#timer);
	}
}

function coreWaitMs(): number {
	try {
		return Number(readFileSync(file, 'utf8').split(' ')[1]) / 1e6;
	} catch {
		// Elsewhere than on Linux the cores must be free.
		return 0;
	}
}
