import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { JsonObject } from '@holdfast/session-manager';
import type { AuthInfo } from '../protocol/sdk.js';
import type { HttpExchange } from './exchange.js';

/** Who a new session belongs to, and what is kept of what they showed. */
export interface Owner {
	/** Absent for an anonymous session. */
	readonly principal?: string | undefined;
	readonly claims?: JsonObject | undefined;
	/** When the token ends, in milliseconds since the Unix epoch. */
	readonly tokenEndsAt?: number | undefined;
	/** Where the request came from, of somebody without a verified principal. */
	readonly address?: string | undefined;
}

/** Begins the principal of a session that is bound to a credential of which nothing else is known. */
const CREDENTIAL = 'credential:';

/**
 * Who opens a session with this request. The principal is issuer and subject where a verifier put them into `extra.iss` and
 * `extra.sub` of `AuthInfo` (names of RFC 7519), the same across token refreshes; otherwise a salted hash of the credential,
 * or nobody where there is none.
 */
export function ownerOf(exchange: HttpExchange): Owner {
	const { authInfo } = exchange;
	const principal = principalOf(authInfo);
	if (principal === undefined) {
		const credential = credentialOf(exchange);
		const { address } = exchange;
		if (credential === undefined) return { address };
		return { principal: hashOf(credential, randomBytes(12).toString('base64url')), address };
	}
	return { principal, claims: claimsOf(authInfo), tokenEndsAt: tokenEndOf(authInfo) };
}

/** Whether a session of `owner` may be used by whoever sends this request. An anonymous session is bound to nobody. */
export function mayUse(owner: string | undefined, exchange: HttpExchange): boolean {
	if (owner === undefined) return true;
	if (!owner.startsWith(CREDENTIAL)) return isSame(owner, principalOf(exchange.authInfo));
	const credential = credentialOf(exchange);
	const salt = owner.slice(CREDENTIAL.length, owner.lastIndexOf(':'));
	return isSame(owner, credential && hashOf(credential, salt));
}

/** When the token of a request ends, in milliseconds since the Unix epoch. */
export function tokenEndOf(authInfo: AuthInfo | undefined): number | undefined {
	return authInfo?.expiresAt === undefined ? undefined : authInfo.expiresAt * 1000;
}

function principalOf(authInfo: AuthInfo | undefined): string | undefined {
	const { iss, sub } = authInfo?.extra ?? {};
	if (typeof sub !== 'string' || sub === '') return undefined;
	// The first space separates, whatever an issuer is called.
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

function isSame(expected: string, given: string | undefined): boolean {
	if (given === undefined) return false;
	const [one, other] = [Buffer.from(expected), Buffer.from(given)];
	return one.length === other.length && timingSafeEqual(one, other);
}
