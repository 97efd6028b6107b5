import { createPublicKey, type KeyObject } from 'node:crypto';
import {
	createRemoteJWKSet,
	errors,
	type JWTPayload,
	type JWTVerifyGetKey,
	type JWTVerifyOptions,
	jwtVerify,
} from 'jose';

/** The keys that verify signatures: exactly one of the three. */
export interface JwtKeys {
	/** The secret shared with the issuer, at least 32 bytes (RFC 7518, section 3.2). */
	readonly secret?: string | Uint8Array;
	/** The issuer's public key, in PEM format. */
	readonly publicKey?: string;
	/**
	 * The URL of the issuer's key set. The keys are cached for ten minutes, and fetched again when a token names a new
	 * one.
	 */
	readonly jwksUrl?: string | URL;
	/**
	 * The accepted signature algorithms, never `none`.
	 *
	 * @default `HS256` with a secret; otherwise `RS256`, `PS256`, `ES256` and `EdDSA`
	 */
	readonly algorithms?: readonly string[];
}

/** Verifies one token. Throws {@link KeysUnavailableError}, or the error of jose for an invalid token. */
export type Verify = (token: string, at: Date) => Promise<JWTPayload>;

/** The issuer's keys cannot be fetched, so no token can be verified now. */
export class KeysUnavailableError extends Error {
	override readonly name = 'KeysUnavailableError';
}

/** Errors of a key set that the token causes; any other error means that the keys are unavailable. */
const tokenFaults = [errors.JWKSNoMatchingKey, errors.JWKSMultipleMatchingKeys, errors.JOSENotSupported];

/** A shorter secret can be guessed from a single token (RFC 7518, section 3.2). */
const MIN_SECRET_BYTES = 32;

/**
 * Creates a verifier. Throws `TypeError` unless the options name exactly one source of keys, and a secret is long
 * enough.
 */
export function openKeys(keys: JwtKeys, checks: JWTVerifyOptions): Verify {
	const sources = [keys.secret, keys.publicKey, keys.jwksUrl].filter((source) => source !== undefined && source !== '');
	if (sources.length !== 1)
		throw new TypeError('Exactly one of the options secret, publicKey and jwksUrl is required.');
	const { secret, publicKey, jwksUrl } = keys;
	const usual = secret === undefined ? ['RS256', 'PS256', 'ES256', 'EdDSA'] : ['HS256'];
	const options = { ...checks, algorithms: [...(keys.algorithms ?? usual)] };
	if (jwksUrl !== undefined) return withKeySet(createRemoteJWKSet(new URL(jwksUrl)), options);
	const key = publicKey === undefined ? secretBytes(secret ?? '') : publicKeyOf(publicKey);
	return async (token, currentDate) => (await jwtVerify(token, key, { ...options, currentDate })).payload;
}

function publicKeyOf(pem: string): KeyObject {
	try {
		return createPublicKey(pem);
	} catch (cause) {
		throw new TypeError('The option publicKey must be a public key in PEM format.', { cause });
	}
}

function secretBytes(secret: string | Uint8Array): Uint8Array {
	const bytes = typeof secret === 'string' ? new TextEncoder().encode(secret) : secret;
	if (bytes.byteLength >= MIN_SECRET_BYTES) return bytes;
	throw new TypeError(
		`The option secret must have at least ${MIN_SECRET_BYTES} bytes, as random as can be; it has ${bytes.byteLength}.`,
	);
}

function withKeySet(keySet: ReturnType<typeof createRemoteJWKSet>, options: JWTVerifyOptions): Verify {
	const keyOf: JWTVerifyGetKey = async (header, token) => {
		try {
			return await keySet(header, token);
		} catch (error) {
			if (tokenFaults.some((fault) => error instanceof fault)) throw error;
			throw new KeysUnavailableError('The keys that verify tokens cannot be fetched.', { cause: error });
		}
	};
	return async (token, currentDate) => {
		const at = { ...options, currentDate };
		try {
			return (await jwtVerify(token, keyOf, at)).payload;
		} catch (error) {
			if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
			// The token names no key, so any of the matching keys may have signed it.
			for await (const key of error) {
				try {
					return (await jwtVerify(token, key, at)).payload;
				} catch (failure) {
					if (!(failure instanceof errors.JWSSignatureVerificationFailed)) throw failure;
				}
			}
			throw new errors.JWSSignatureVerificationFailed();
		}
	};
}
