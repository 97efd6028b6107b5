import type { Clock } from './contract/clock.js';

/**
 * A clock that moves only when a test advances it.
 *
 * @example
 * ```ts source="../test/examples/manual-clock.examples.ts#advance"
 * const clock = new ManualClock();
 * const info = new InMemoryInfoSessionManager({ clock });
 * info.create({ ...record, lastUsedAt: clock.now(), idleTtlMs: 60_000 });
 * clock.advance(60_000);
 * assert.equal(info.read(record.id), undefined); // expired
 * ```
 */
export class ManualClock implements Clock {
	#now: number;
	#elapsed = 0;
	readonly #waiting = new Set<{ readonly at: number; readonly task: () => void }>();

	/** Starts at `now`, in milliseconds since the Unix epoch. */
	constructor(now = 0) {
		this.#now = now;
	}

	now(): number {
		return this.#now;
	}

	monotonic(): number {
		return this.#elapsed;
	}

	/** Sets the date, in milliseconds since the Unix epoch, as whoever sets the machine's clock does. No time passes. */
	setNow(now: number): void {
		this.#now = now;
	}

	after(delayMs: number, task: () => void): () => void {
		const entry = { at: this.#elapsed + delayMs, task };
		this.#waiting.add(entry);
		return () => this.#waiting.delete(entry);
	}

	/** Advances time by `ms` milliseconds and runs the tasks that fall due, in the order of their time. */
	advance(ms: number): void {
		const end = this.#elapsed + ms;
		for (;;) {
			let next: { readonly at: number; readonly task: () => void } | undefined;
			for (const entry of this.#waiting) {
				if (entry.at <= end && (next === undefined || entry.at < next.at)) next = entry;
			}
			if (next === undefined) break;
			this.#waiting.delete(next);
			this.#moveTo(Math.max(this.#elapsed, next.at));
			next.task();
		}
		this.#moveTo(end);
	}

	#moveTo(elapsed: number): void {
		this.#now += elapsed - this.#elapsed;
		this.#elapsed = elapsed;
	}
}
