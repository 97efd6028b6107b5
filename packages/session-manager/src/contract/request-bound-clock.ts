import type { Clock } from './clock.js';

/** What has not been called yet. */
interface Pending {
	/** On the monotonic clock. */
	readonly at: number;
	readonly task: () => void;
}

/**
 * The clock of a runtime whose timers end with the request that set them, as on Cloudflare Workers. What is pending is
 * kept here, and any request that is open calls it when it falls due. With none open, the next request does.
 */
export class RequestBoundClock implements Clock {
	readonly #pending = new Set<Pending>();

	now(): number {
		return Date.now();
	}

	monotonic(): number {
		return performance.now();
	}

	after(delayMs: number, task: () => void): () => void {
		const pending = { at: this.monotonic() + delayMs, task };
		this.#pending.add(pending);
		setTimeout(() => this.#callDue(), capped(delayMs));
		// The timer belongs to this request: another one may not touch it.
		return () => this.#pending.delete(pending);
	}

	requestBegins(): void {
		try {
			this.#callDue();
		} finally {
			const next = Math.min(...Array.from(this.#pending, ({ at }) => at));
			if (next < Number.POSITIVE_INFINITY)
				setTimeout(() => this.requestBegins(), capped(Math.max(1, next - this.monotonic())));
		}
	}

	#callDue(): void {
		const now = this.monotonic();
		for (const pending of [...this.#pending].filter(({ at }) => at <= now).sort((a, b) => a.at - b.at))
			if (this.#pending.delete(pending)) pending.task();
	}
}

/** `setTimeout` fires at once when its delay is longer than this. */
function capped(delayMs: number): number {
	return Math.min(delayMs, 2 ** 31 - 1);
}
