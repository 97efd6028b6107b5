import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { JsonObject } from '@holdfast/session-manager';
import type { AuthInfo } from '../protocol/sdk.js';
import type { HttpExchange } from './exchange.js';

/** The owner of a new session, and what is stored about them. */
export interface Owner {
	/** Absent for an anonymous session. */
	readonly principal?: string | undefined;
	readonly claims?: JsonObject | undefined;
	/** When the token expires, in milliseconds since the Unix epoch. */
	readonly tokenEndsAt?: number | undefined;
	/**
	 * The remote address of the request, of IPv6 its network (/64), which is what one customer has; set only where there
	 * is no verified principal.
	 */
	readonly address?: string | undefined;
}

/**
 * The prefix of the principal of a session that is bound to a credential, where nothing else is known of its sender.
 */
const CREDENTIAL = 'credential:';

/**
 * Returns the owner of a session that this request creates. The principal is issuer and subject where `AuthInfo.extra`
 * has `iss` and `sub` (RFC 7519), so it stays the same when the token is refreshed. Otherwise it is a salted hash of
 * the credential; without a credential there is none.
 */
export function ownerOf(exchange: HttpExchange): Owner {
	const { authInfo } = exchange;
	const principal = principalOf(authInfo);
	if (principal === undefined) {
		const credential = credentialOf(exchange);
		const address = exchange.address === undefined ? undefined : networkOf(exchange.address);
		if (credential === undefined) return { address };
		return { principal: hashOf(credential, randomBytes(12).toString('base64url')), address };
	}
	return { principal, claims: claimsOf(authInfo), tokenEndsAt: tokenEndOf(authInfo) };
}

/**
 * Returns whether the sender of this request may use a session of `owner`. An anonymous session is open to everybody
 * who knows its id.
 */
export function mayUse(owner: string | undefined, exchange: HttpExchange): boolean {
	if (owner === undefined) return true;
	if (!owner.startsWith(CREDENTIAL)) return isEqual(owner, principalOf(exchange.authInfo));
	const credential = credentialOf(exchange);
	const salt = owner.slice(CREDENTIAL.length, owner.lastIndexOf(':'));
	return isEqual(owner, credential && hashOf(credential, salt));
}

/**
 * Throws `TypeError` where `AuthInfo.extra` has an `iss` or `sub` that is no non-empty string: its sender would have no
 * principal, and no limit of principals. Lone surrogates are all the same once encoded, and so would be the principals.
 */
export function checkPrincipal(authInfo: AuthInfo | undefined): void {
	for (const claim of ['iss', 'sub']) {
		const value = authInfo?.extra?.[claim];
		if (value === undefined || (typeof value === 'string' && /^\P{Surrogate}+$/u.test(value))) continue;
		throw new TypeError(`AuthInfo.extra.${claim} must be well-formed text of at least one character, or absent.`);
	}
}

/** Returns when the token of a request expires, in milliseconds since the Unix epoch. */
export function tokenEndOf(authInfo: AuthInfo | undefined): number | undefined {
	return authInfo?.expiresAt === undefined ? undefined : authInfo.expiresAt * 1000;
}

function networkOf(address: string): string {
	const mapped = /^::ffff:(?=\d+\.)/i.exec(address);
	if (mapped !== null) return address.slice(mapped[0].length);
	if (!address.includes(':')) return address;
	const [head = [], tail] = address.split('::').map((part) => part.split(':').filter(Boolean));
	const zeros = tail === undefined ? [] : Array<string>(Math.max(0, 8 - head.length - tail.length)).fill('0');
	return `${[...head, ...zeros, ...(tail ?? [])].slice(0, 4).join(':')}::/64`;
}

/** Returns issuer and subject of a verified token as one text; `undefined` where it names no subject. */
export function principalOf(authInfo: AuthInfo | undefined): string | undefined {
	const { iss, sub } = authInfo?.extra ?? {};
	if (typeof sub !== 'string' || sub === '') return undefined;
	// The first space separates the two, so the issuer must contain none.
	return `${typeof iss === 'string' ? iss.replaceAll(' ', '%20') : ''} ${sub}`;
}

function credentialOf(exchange: HttpExchange): string | undefined {
	return exchange.authInfo?.token || exchange.header('authorization');
}

function claimsOf(authInfo: AuthInfo | undefined): JsonObject {
	const { iss, sub, aud, iat } = authInfo?.extra ?? {};
	return {
		sub: String(sub),
		...(typeof iss === 'string' && { iss }),
		scopes: authInfo?.scopes ?? [],
		audiences: (Array.isArray(aud) ? aud : [aud]).filter((audience) => typeof audience === 'string'),
		...(authInfo?.expiresAt !== undefined && { exp: authInfo.expiresAt }),
		...(typeof iat === 'number' && { iat }),
	};
}

function hashOf(credential: string, salt: string): string {
	return `${CREDENTIAL}${salt}:${createHash('sha256').update(salt).update(credential).digest('base64url')}`;
}

function isEqual(expected: string, given: string | undefined): boolean {
	if (given === undefined) return false;
	const [a, b] = [Buffer.from(expected), Buffer.from(given)];
	return a.length === b.length && timingSafeEqual(a, b);
}
