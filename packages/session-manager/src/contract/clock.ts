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
	/**
	 * Called when a request of a fetch runtime begins. On one whose timers end with the request that set them, this
	 * request calls the tasks of others that are pending.
	 */
	requestBegins?(): void;
}
