import { type Clock, SessionManagerError } from '@holdfast/session-manager';

const MINUTE = 60_000;
/** Those that are remembered at once; past it, the ones that opened longest ago are forgotten. */
const MAX_REMEMBERED = 10_000;

/** How many sessions somebody may still open, as of a time. */
interface Allowance {
	left: number;
	at: number;
}

/** Bounds how often one principal, or one address, opens sessions on this node: so many at once, and as many a minute. */
export class RateLimiter {
	readonly #clock: Clock;
	readonly #perMinute: number;
	/** The one that opened longest ago first. */
	readonly #allowances = new Map<string, Allowance>();

	/** `perMinute` 0: any number. */
	constructor(clock: Clock, perMinute: number) {
		this.#clock = clock;
		this.#perMinute = perMinute;
	}

	/** Counts one session that `who` opens; throws `limit` when it is too many. */
	count(who: string | undefined): void {
		if (this.#perMinute === 0 || who === undefined) return;
		const now = this.#clock.monotonic();
		const { left, at } = this.#allowances.get(who) ?? { left: this.#perMinute, at: now };
		const allowed = Math.min(this.#perMinute, left + ((now - at) / MINUTE) * this.#perMinute);
		if (allowed < 1) throw new SessionManagerError('limit', 'too many sessions were opened in a short time.');
		this.#allowances.delete(who);
		this.#allowances.set(who, { left: allowed - 1, at: now });
		for (const [longestAgo] of this.#allowances) {
			if (this.#allowances.size <= MAX_REMEMBERED) break;
			this.#allowances.delete(longestAgo);
		}
	}
}
