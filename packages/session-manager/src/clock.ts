/**
 * Where Holdfast takes its time from. Everything that waits, expires or measures asks a clock, so that a test can move time
 * instead of sleeping.
 */
export interface Clock {
	/** Milliseconds since the Unix epoch. */
	now(): number;
	/**
	 * Calls `task` once, `delayMs` from now, and answers a function that calls it off. A waiting task never keeps the
	 * process alive.
	 */
	after(delayMs: number, task: () => void): () => void;
}

/** The machine's own time. */
export const systemClock: Clock = Object.freeze({
	now: Date.now,
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

/** A clock that stands still until it is told to move; for tests of whatever expires. */
export class ManualClock implements Clock {
	#now: number;
	readonly #waiting = new Set<{ readonly at: number; readonly task: () => void }>();

	/** Starts at `now`, in milliseconds since the Unix epoch. */
	constructor(now = 0) {
		this.#now = now;
	}

	now(): number {
		return this.#now;
	}

	after(delayMs: number, task: () => void): () => void {
		const entry = { at: this.#now + delayMs, task };
		this.#waiting.add(entry);
		return () => this.#waiting.delete(entry);
	}

	/** Moves time on by `ms` and runs what falls due on the way, in order of time. */
	advance(ms: number): void {
		const end = this.#now + ms;
		for (;;) {
			let next: { readonly at: number; readonly task: () => void } | undefined;
			for (const entry of this.#waiting) {
				if (entry.at <= end && (next === undefined || entry.at < next.at)) next = entry;
			}
			if (next === undefined) break;
			this.#waiting.delete(next);
			this.#now = Math.max(this.#now, next.at);
			next.task();
		}
		this.#now = end;
	}
}
