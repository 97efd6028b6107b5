import type { Clock } from '@holdfast/session-manager';
import type { AuthInfo } from '@holdfast/transport';

/** How long a verified token is cached, in milliseconds: keys can be revoked. */
const CACHED_MS = 60_000;
const MAX_TOKENS = 1_000;

/** A cache of recently verified tokens, so that a session's requests do not verify the same token again and again. */
export class VerifiedTokens {
	readonly #clock: Clock;
	readonly #toleranceMs: number;
	/** Oldest first. */
	readonly #tokens = new Map<
		string,
		{ readonly authInfo: AuthInfo; readonly freshUntil: number; readonly validUntil: number }
	>();

	constructor(clock: Clock, toleranceMs: number) {
		this.#clock = clock;
		this.#toleranceMs = toleranceMs;
	}

	get(token: string): AuthInfo | undefined {
		const known = this.#tokens.get(token);
		if (known === undefined) return undefined;
		if (this.#clock.monotonic() < known.freshUntil && this.#clock.now() < known.validUntil) return known.authInfo;
		this.#tokens.delete(token);
		return undefined;
	}

	add(authInfo: AuthInfo): void {
		const { token, expiresAt = Number.POSITIVE_INFINITY } = authInfo;
		const freshUntil = this.#clock.monotonic() + CACHED_MS;
		const validUntil = expiresAt * 1000 + this.#toleranceMs;
		this.#tokens.delete(token);
		this.#tokens.set(token, { authInfo, freshUntil, validUntil });
		if (this.#tokens.size <= MAX_TOKENS) return;
		for (const oldest of this.#tokens.keys()) {
			this.#tokens.delete(oldest);
			return;
		}
	}
}
