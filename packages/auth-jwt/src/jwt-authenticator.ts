import { type Clock, systemClock } from '@holdfast/session-manager/custom';
import type { AuthInfo, AuthRefusal, AuthRequest } from '@holdfast/transport';
import { errors, type JWTPayload } from 'jose';
import { type JwtKeys, KeysUnavailableError, openKeys } from './jwt-keys.js';
import { VerifiedTokens } from './verified-tokens.js';

/** Which tokens count. Of `secret`, `publicKey` and `jwksUrl` exactly one is given. */
export interface JwtOptions extends JwtKeys {
	/** Who may have issued a token (`iss`), or `'any'`. */
	readonly issuer: string | readonly string[];
	/** Whom a token must be for (`aud`): one of these, or `'any'`. MCP wants the canonical URI of the server (RFC 8707). */
	readonly audience: string | readonly string[];
	/** How far clocks may be apart, in milliseconds (default 5 s). */
	readonly clockToleranceMs?: number;
	/** Scopes that every request needs (`scope` or `scp`); a token without one of them gets 403. */
	readonly requiredScopes?: readonly string[];
	/** Whether a token must end at some time (`exp`; default `true`). */
	readonly requireExpiry?: boolean;
	/** Whether a request without any token is served, as anonymous (default `false`: 401). */
	readonly allowAnonymous?: boolean;
	/** Where time comes from (default: the machine). */
	readonly clock?: Clock;
}

/** RFC 6750, section 2.1; the scheme's case does not count. */
const bearer = /^bearer +([\w~+/.-]+=*) *$/i;

/**
 * Makes an `authenticate` of JSON Web Tokens (RFC 7519) in `Authorization: Bearer`. Signature, algorithm, `iss`, `aud`, `exp`
 * and `nbf` are checked, and `sub` must be there. Whoever fails is refused with 401, and 403 where only a scope is missing; 503
 * where keys cannot be fetched. A token that was verified is believed for a minute, and no longer than it lives.
 */
export function jwtAuthenticator(
	options: JwtOptions,
): (request: AuthRequest) => Promise<AuthInfo | AuthRefusal | undefined> | AuthInfo {
	const verifier = new JwtVerifier(options);
	return (request) => verifier.authenticate(request.header('authorization'));
}

class JwtVerifier {
	readonly #options: JwtOptions;
	readonly #clock: Clock;
	readonly #verify: ReturnType<typeof openKeys>;
	readonly #verified: VerifiedTokens;

	constructor(options: JwtOptions) {
		const { issuer, audience, clockToleranceMs = 5_000 } = options;
		this.#options = options;
		this.#clock = options.clock ?? systemClock;
		this.#verify = openKeys(options, {
			...(issuer !== 'any' && { issuer: [issuer].flat() }),
			...(audience !== 'any' && { audience: [audience].flat() }),
			clockTolerance: clockToleranceMs / 1000,
			requiredClaims: options.requireExpiry === false ? ['sub'] : ['sub', 'exp'],
		});
		this.#verified = new VerifiedTokens(this.#clock, clockToleranceMs);
	}

	authenticate(header: string | undefined): Promise<AuthInfo | AuthRefusal | undefined> | AuthInfo {
		const token = header === undefined ? undefined : bearer.exec(header)?.[1];
		const known = token === undefined ? undefined : this.#verified.get(token);
		return known ?? this.#check(header, token);
	}

	async #check(header: string | undefined, token: string | undefined): Promise<AuthInfo | AuthRefusal | undefined> {
		if (token === undefined) {
			if (header === undefined && this.#options.allowAnonymous === true) return undefined;
			return { status: 401, message: 'a bearer token is required.' };
		}
		let payload: JWTPayload;
		try {
			payload = await this.#verify(token, new Date(this.#clock.now()));
		} catch (error) {
			return refusalOf(error);
		}
		if (payload.sub === '') return refusalOf(undefined);
		const scopes = scopesOf(payload);
		const required = this.#options.requiredScopes ?? [];
		if (!required.every((scope) => scopes.includes(scope))) {
			const message = 'the token lacks a scope that this server needs.';
			return { status: 403, error: 'insufficient_scope', message, scope: required.join(' ') };
		}
		const authInfo = authInfoOf(token, payload, scopes);
		this.#verified.add(authInfo);
		return authInfo;
	}
}

function authInfoOf(token: string, payload: JWTPayload, scopes: string[]): AuthInfo {
	const { iss, sub, aud, iat, exp, client_id: clientId, azp } = payload;
	return {
		token,
		clientId: String(clientId ?? azp ?? sub),
		scopes,
		...(exp !== undefined && { expiresAt: exp }),
		extra: { iss, sub, aud, iat },
	};
}

/** `scope` of RFC 9068, or `scp` as some issuers have it. */
function scopesOf({ scope, scp }: JWTPayload): string[] {
	const scopes = scope ?? scp;
	if (typeof scopes === 'string') return scopes.split(' ').filter((name) => name !== '');
	return Array.isArray(scopes) ? scopes.filter((name) => typeof name === 'string') : [];
}

/** Tells no more than a client may know: nothing of keys, and nothing of what is expected. */
function refusalOf(error: unknown): AuthRefusal {
	if (error instanceof KeysUnavailableError) {
		return { status: 503, message: 'the keys that verify tokens cannot be fetched.' };
	}
	const message = error instanceof errors.JWTExpired ? 'the token has expired.' : 'the token is not valid here.';
	return { status: 401, error: 'invalid_token', message };
}
