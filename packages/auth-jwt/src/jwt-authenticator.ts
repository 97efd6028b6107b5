import { type Clock, systemClock } from '@holdfast/session-manager/custom';
import {
	checkOptions,
	clock,
	flag,
	ms,
	type OptionSchemas,
	option,
	required,
} from '@holdfast/session-manager/internal';
import type { AuthInfo, AuthRefusal, AuthRequest } from '@holdfast/transport';
import { errors, type JWTPayload } from 'jose';
import { type JwtKeys, KeysUnavailableError, openKeys } from './jwt-keys.js';
import { VerifiedTokens } from './verified-tokens.js';

/** Which tokens are accepted. Exactly one of `secret`, `publicKey` and `jwksUrl` is required. */
export interface JwtOptions extends JwtKeys {
	/** The accepted issuers (`iss`), or `'any'`. */
	readonly issuer: string | readonly string[];
	/** The accepted audiences (`aud`), or `'any'`. MCP requires the canonical URI of the server (RFC 8707). */
	readonly audience: string | readonly string[];
	/**
	 * The tolerated clock skew, in milliseconds.
	 *
	 * @default 5 s
	 */
	readonly clockToleranceMs?: number;
	/**
	 * The scopes that every request needs (`scope` or `scp`); a token without one of them gets 403.
	 *
	 * @default none
	 */
	readonly requiredScopes?: readonly string[];
	/**
	 * Whether a token must expire (`exp`).
	 *
	 * @default `true`
	 */
	readonly requireExpiry?: boolean;
	/**
	 * Whether a request without a token is served as anonymous; otherwise it gets 401.
	 *
	 * @default `false`
	 */
	readonly allowAnonymous?: boolean;
	/**
	 * The source of time.
	 *
	 * @default the machine's clock
	 */
	readonly clock?: Clock;
}

const isName = (value: unknown) => typeof value === 'string' && value !== '';
const isNames = (value: unknown) => Array.isArray(value) && value.every(isName);
const isNamed = (value: unknown) => isName(value) || (isNames(value) && (value as unknown[]).length > 0);
const schemas: OptionSchemas<JwtOptions> = {
	issuer: required("an issuer, a list of them, or 'any'", isNamed),
	audience: required("an audience, a list of them, or 'any'", isNamed),
	secret: option('text or bytes', (value) => typeof value === 'string' || value instanceof Uint8Array),
	publicKey: option('a public key in PEM format', (value) => typeof value === 'string'),
	jwksUrl: option('a URL of http or https', isUrl),
	algorithms: option("a list of algorithms, such as ['RS256'], without 'none'", (value) => {
		return isNames(value) && (value as string[]).length > 0 && !(value as string[]).includes('none');
	}),
	clockToleranceMs: ms,
	requiredScopes: option("a list of scopes, such as ['mcp']", isNames),
	requireExpiry: flag,
	allowAnonymous: flag,
	clock,
};

function isUrl(value: unknown): boolean {
	if (!(typeof value === 'string' || value instanceof URL)) return false;
	return value === '' || (URL.canParse(String(value)) && /^https?:$/.test(new URL(value).protocol));
}

/** RFC 6750, section 2.1; the scheme is case-insensitive. */
const bearer = /^bearer +([\w~+/.-]+=*) *$/i;

/**
 * Creates an `authenticate` function for JSON Web Tokens (RFC 7519) in `Authorization: Bearer`. It checks the
 * signature, the algorithm, `iss`, `aud`, `exp`, `nbf` and the type of each claim, and requires `sub`. It refuses a
 * request with 401, with 403 when only a scope is missing, and with 503 when the keys cannot be fetched. A verified
 * token is cached for a minute, but never beyond its expiry. Throws `TypeError` for options that cannot work: a mistake
 * in a name or a value, not exactly one source of keys (an empty text is none), a secret of fewer than 32 bytes, or
 * algorithms that are not for this source.
 *
 * @example
 * ```ts source="../test/examples/jwt-authenticator.examples.ts#keySet"
 * const authenticate = jwtAuthenticator({
 * 	issuer: 'https://login.example.com/',
 * 	audience: 'https://mcp.example.com/mcp',
 * 	jwksUrl: 'https://login.example.com/.well-known/jwks.json',
 * 	requiredScopes: ['mcp'],
 * });
 * ```
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
		checkOptions('jwtAuthenticator', schemas, options);
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
		if (!isWellFormed(payload)) return refusalOf(undefined);
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

/**
 * Whether the claims have the types of RFC 7519, section 4.1: without a principal, a sender would slip past every
 * limit.
 */
function isWellFormed({ iss, sub, aud, exp, nbf, iat }: Readonly<Record<string, unknown>>): boolean {
	// Lone surrogates are all the same once encoded, and so would be the principals.
	const isName = (value: unknown) => typeof value === 'string' && /^\P{Surrogate}+$/u.test(value);
	return (
		isName(sub) &&
		(iss === undefined || isName(iss)) &&
		(aud === undefined || [aud].flat().every(isName)) &&
		[exp, nbf, iat].every((time) => time === undefined || Number.isFinite(time))
	);
}

function authInfoOf(token: string, payload: JWTPayload, scopes: string[]): AuthInfo {
	const { iss, sub, aud, iat, exp, client_id: clientId, azp } = payload;
	return {
		token,
		clientId: [clientId, azp, sub].find((id) => typeof id === 'string') ?? '',
		scopes,
		...(exp !== undefined && { expiresAt: exp }),
		extra: { iss, sub, aud, iat },
	};
}

/** The scopes in `scope` (RFC 9068), or in `scp`, which some issuers use. */
function scopesOf({ scope, scp }: JWTPayload): string[] {
	const scopes = scope ?? scp;
	if (typeof scopes === 'string') return scopes.split(' ').filter((name) => name !== '');
	return Array.isArray(scopes) ? scopes.filter((name) => typeof name === 'string') : [];
}

/** Reveals nothing that a client must not know: neither the keys nor the expected claims. */
function refusalOf(error: unknown): AuthRefusal {
	if (error instanceof KeysUnavailableError) {
		return { status: 503, message: 'the keys that verify tokens cannot be fetched.' };
	}
	const message = error instanceof errors.JWTExpired ? 'the token has expired.' : 'the token is not valid here.';
	return { status: 401, error: 'invalid_token', message };
}
