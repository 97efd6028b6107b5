/**
 * The source of time. Everything in Holdfast that waits, expires or measures asks a clock, so a test can move time
 * instead of sleeping.
 */
export interface Clock {
	/** The date: milliseconds since the Unix epoch. It may jump when somebody sets the machine's clock. */
	now(): number;
	/** Milliseconds since some moment in the past. It never goes back and never jumps: durations are measured by it. */
	monotonic(): number;
	/**
	 * Calls `task` once, `delayMs` milliseconds from now, and returns a function that cancels the call. A pending task
	 * does not keep the process alive.
	 */
	after(delayMs: number, task: () => void): () => void;
}

/** The clock of the machine. */
export const systemClock: Clock = Object.freeze({
	now: Date.now,
	monotonic: () => performance.now(),
	after(delayMs: number, task: () => void) {
		let left = delayMs;
		let timer: ReturnType<typeof setTimeout>;
		const wait = () => {
			// `setTimeout` fires at once when its delay is longer than this.
			const delay = Math.min(left, 2 ** 31 - 1);
			left -= delay;
			timer = setTimeout(left > 0 ? wait : task, delay);
			// Runtimes other than Node return a number here.
			if (typeof timer === 'object') timer.unref();
		};
		wait();
		return () => clearTimeout(timer);
	},
});
