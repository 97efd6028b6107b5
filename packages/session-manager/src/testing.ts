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

	/** Advances time by `ms` milliseconds and runs the tasks that fall due, in the order of their time. */
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
