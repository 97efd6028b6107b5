import { type Clock, SessionManagerError } from '@holdfast/session-manager';

/** How many keys are remembered. Past it, the least recently counted ones are evicted. */
const MAX_REMEMBERED = 10_000;

/** A token bucket: how much may still be done, as of a time. */
interface Bucket {
	left: number;
	at: number;
}

/** What is limited, and how. */
export interface Rate {
	/** How much may be done at once; 0: no limit. */
	readonly burst: number;
	/** In what time so much may be done again, in milliseconds. */
	readonly refillMs: number;
	/** What the client is told where it is too much. */
	readonly message: string;
}

/**
 * Limits how much is done on this node for each of many, such as principals, addresses or sessions: a token bucket
 * each.
 */
export class RateLimiter {
	readonly #clock: Clock;
	readonly #rate: Rate;
	/** Least recently counted first. */
	readonly #buckets = new Map<string, Bucket>();

	constructor(clock: Clock, rate: Rate) {
		this.#clock = clock;
		this.#rate = rate;
	}

	/** Counts `cost` for `key`, at most the burst. Throws `limit` when it is too much. */
	count(key: string | undefined, cost = 1): void {
		const { burst, refillMs, message } = this.#rate;
		if (burst === 0 || key === undefined) return;
		const now = this.#clock.monotonic();
		const { left, at } = this.#buckets.get(key) ?? { left: burst, at: now };
		const allowed = Math.min(burst, left + ((now - at) / refillMs) * burst);
		const taken = Math.min(burst, cost);
		if (allowed < taken) throw new SessionManagerError('limit', message);
		this.#buckets.delete(key);
		this.#buckets.set(key, { left: allowed - taken, at: now });
		for (const [oldest, bucket] of this.#buckets) {
			// One that is full again is like none.
			if (this.#buckets.size <= MAX_REMEMBERED && now - bucket.at < refillMs) break;
			this.#buckets.delete(oldest);
		}
	}
}
