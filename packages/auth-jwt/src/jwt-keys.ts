import { createPublicKey } from 'node:crypto';
import {
	createRemoteJWKSet,
	errors,
	type JWTPayload,
	type JWTVerifyGetKey,
	type JWTVerifyOptions,
	jwtVerify,
} from 'jose';

/** What signatures are verified with: exactly one of the three. */
export interface JwtKeys {
	/** The secret that issuer and server share: at least 32 bytes (RFC 7518, section 3.2). */
	readonly secret?: string | Uint8Array;
	/** The issuer's public key, as PEM. */
	readonly publicKey?: string;
	/** Where the issuer publishes its keys. They are cached for ten minutes, and asked for again when a token names a new one. */
	readonly jwksUrl?: string | URL;
	/** Signature algorithms that count (default: `HS256` with a secret; `RS256`, `PS256`, `ES256` and `EdDSA` otherwise). Never `none`. */
	readonly algorithms?: readonly string[];
}

/** Verifies a token at a time; throws {@link KeysUnavailableError}, or what jose throws of a bad token. */
export type Verify = (token: string, at: Date) => Promise<JWTPayload>;

/** The issuer's keys cannot be fetched now: nobody can tell whether a token is good. */
export class KeysUnavailableError extends Error {
	override readonly name = 'KeysUnavailableError';
}

/** What a key set says of a token that names no key of it; everything else that it throws is its own trouble. */
const tokenFaults = [errors.JWKSNoMatchingKey, errors.JWKSMultipleMatchingKeys, errors.JOSENotSupported];

/** Makes what verifies tokens. Throws `TypeError` where the options do not name one key source. */
export function openKeys(keys: JwtKeys, checks: JWTVerifyOptions): Verify {
	const sources = [keys.secret, keys.publicKey, keys.jwksUrl].filter((source) => source !== undefined && source !== '');
	if (sources.length !== 1) throw new TypeError('Give exactly one of secret, publicKey and jwksUrl.');
	const { secret, publicKey, jwksUrl } = keys;
	const usual = secret === undefined ? ['RS256', 'PS256', 'ES256', 'EdDSA'] : ['HS256'];
	const options = { ...checks, algorithms: [...(keys.algorithms ?? usual)] };
	if (jwksUrl !== undefined) return withKeySet(createRemoteJWKSet(new URL(jwksUrl)), options);
	const key =
		publicKey === undefined
			? typeof secret === 'string'
				? new TextEncoder().encode(secret)
				: (secret ?? new Uint8Array())
			: createPublicKey(publicKey);
	return async (token, currentDate) => (await jwtVerify(token, key, { ...options, currentDate })).payload;
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
			// The token names no key: any that fits may have signed it.
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
