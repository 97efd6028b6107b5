/**
 * Where Holdfast takes its time from. Everything that waits, expires or measures asks a clock, so that a test can move time
 * instead of sleeping.
 */
export interface Clock {
	/** The date: milliseconds since the Unix epoch. It may jump when somebody sets the machine's clock. */
	now(): number;
	/** Milliseconds since some moment in the past. It never goes back and never jumps: durations are measured by it. */
	monotonic(): number;
	/**
	 * Calls `task` once, `delayMs` from now, and answers a function that calls it off. A waiting task never keeps the
	 * process alive.
	 */
	after(delayMs: number, task: () => void): () => void;
}

/** The machine's own time. */
export const systemClock: Clock = Object.freeze({
	now: Date.now,
	monotonic: () => performance.now(),
	after(delayMs: number, task: () => void) {
		let left = delayMs;
		let timer: ReturnType<typeof setTimeout>;
		const wait = () => {
			// A longer delay than this makes `setTimeout` fire at once.
			const delay = Math.min(left, 2 ** 31 - 1);
			left -= delay;
			timer = setTimeout(left > 0 ? wait : task, delay);
			// Runtimes that are not Node answer a number here.
			if (typeof timer === 'object') timer.unref();
		};
		wait();
		return () => clearTimeout(timer);
	},
});
