import { timingSafeEqual } from 'node:crypto';
import type { AuthInfo } from './sdk-server.js';

/**
 * Who asks, the same across token refreshes: issuer and subject where the verifier put them into `extra.iss` and `extra.sub`
 * (names of RFC 7519), otherwise the OAuth client; `undefined` for an anonymous request.
 */
export function principalOf(authInfo: AuthInfo | undefined): string | undefined {
	if (authInfo === undefined) return undefined;
	const { iss, sub } = authInfo.extra ?? {};
	// A space separates: an issuer is a URL, and so has none.
	if (typeof sub === 'string' && sub !== '') return `${typeof iss === 'string' ? iss : ''} ${sub}`;
	return typeof authInfo.clientId === 'string' && authInfo.clientId !== '' ? `client ${authInfo.clientId}` : undefined;
}

/** Whether a session that belongs to `owner` may be used by `principal`. An anonymous session is bound to nobody. */
export function mayUse(owner: string | undefined, principal: string | undefined): boolean {
	if (owner === undefined) return true;
	if (principal === undefined) return false;
	const [expected, given] = [Buffer.from(owner), Buffer.from(principal)];
	return expected.length === given.length && timingSafeEqual(expected, given);
}
