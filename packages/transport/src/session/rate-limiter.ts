import { type Clock, SessionManagerError } from '@holdfast/session-manager';

const MINUTE = 60_000;
/** How many keys are remembered. Past it, the least recently counted ones are evicted. */
const MAX_REMEMBERED = 10_000;

/** A token bucket: how many sessions may still be created, as of a time. */
interface Bucket {
	left: number;
	at: number;
}

/**
 * Limits how many sessions one principal, or one address, creates on this node: a token bucket for each, which holds
 * `perMinute` tokens and refills in a minute.
 */
export class RateLimiter {
	readonly #clock: Clock;
	readonly #perMinute: number;
	/** Least recently counted first. */
	readonly #buckets = new Map<string, Bucket>();

	/** `perMinute` 0 means no limit. */
	constructor(clock: Clock, perMinute: number) {
		this.#clock = clock;
		this.#perMinute = perMinute;
	}

	/** Counts one session that `key` creates. Throws `limit` when it is too many. */
	count(key: string | undefined): void {
		if (this.#perMinute === 0 || key === undefined) return;
		const now = this.#clock.monotonic();
		const { left, at } = this.#buckets.get(key) ?? { left: this.#perMinute, at: now };
		const allowed = Math.min(this.#perMinute, left + ((now - at) / MINUTE) * this.#perMinute);
		if (allowed < 1) throw new SessionManagerError('limit', 'too many sessions were created in a short time.');
		this.#buckets.delete(key);
		this.#buckets.set(key, { left: allowed - 1, at: now });
		for (const [oldest] of this.#buckets) {
			if (this.#buckets.size <= MAX_REMEMBERED) break;
			this.#buckets.delete(oldest);
		}
	}
}
