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
	 * The accepted signature algorithms: `HS…` with a secret, any other of JOSE without; never `none`.
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

const ofSecrets = ['HS256', 'HS384', 'HS512'];
const ofRsa = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
const ofCurves: Readonly<Record<string, string>> = { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' };
const ofEdwards = ['EdDSA', 'Ed25519'];
const ofLattices = ['ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'];
/** What jose knows. */
const ofPublicKeys = [...ofRsa, ...Object.values(ofCurves), ...ofEdwards, ...ofLattices];

/**
 * Creates a verifier. Throws `TypeError` unless the options name exactly one source of keys, a secret is long enough,
 * and tokens of the algorithms can be verified with that source.
 */
export function openKeys(keys: JwtKeys, checks: JWTVerifyOptions): Verify {
	// An empty variable of the environment is one that nobody has set.
	const secret = keys.secret || undefined;
	const publicKey = keys.publicKey || undefined;
	const jwksUrl = keys.jwksUrl || undefined;
	if ([secret, publicKey, jwksUrl].filter((source) => source !== undefined).length !== 1)
		throw new TypeError('Exactly one of the options secret, publicKey and jwksUrl is required.');
	const usual = secret === undefined ? ['RS256', 'PS256', 'ES256', 'EdDSA'] : ['HS256'];
	const { algorithms = usual } = keys;
	if (secret === undefined) checkAlgorithms(algorithms, ofPublicKeys, 'without a secret');
	else checkAlgorithms(algorithms, ofSecrets, 'with a secret');
	const options = { ...checks, algorithms: [...algorithms] };
	if (jwksUrl !== undefined) return withKeySet(createRemoteJWKSet(new URL(jwksUrl)), options);
	const key = publicKey === undefined ? secretBytes(secret ?? '') : publicKeyOf(publicKey, algorithms);
	return async (token, currentDate) => (await jwtVerify(token, key, { ...options, currentDate })).payload;
}

function checkAlgorithms(algorithms: readonly string[], known: readonly string[], where: string): void {
	const unknown = algorithms.find((algorithm) => !known.includes(algorithm));
	if (unknown === undefined) return;
	throw new TypeError(`The option algorithms may name ${known.join(', ')} ${where}, not ${unknown}.`);
}

function publicKeyOf(pem: string, algorithms: readonly string[]): KeyObject {
	let key: KeyObject;
	try {
		key = createPublicKey(pem);
	} catch (cause) {
		throw new TypeError('The option publicKey must be a public key in PEM format.', { cause });
	}
	const possible = algorithmsOf(key);
	if (possible.some((algorithm) => algorithms.includes(algorithm))) return key;
	const need = possible.length === 0 ? 'no algorithm is for' : `algorithms must name one of ${possible.join(', ')} for`;
	throw new TypeError(`The option publicKey cannot be used: ${need} a key of its kind.`);
}

/** Returns the algorithms that a public key verifies. jose takes no RSA key that is shorter than RFC 7518 allows. */
function algorithmsOf({ asymmetricKeyType: type, asymmetricKeyDetails: details = {} }: KeyObject): string[] {
	switch (type) {
		case 'rsa':
			return (details.modulusLength ?? 0) < 2_048 ? [] : ofRsa;
		case 'rsa-pss':
			return ofRsa.filter((algorithm) => algorithm.startsWith('PS'));
		case 'ec':
			return [ofCurves[details.namedCurve ?? ''] ?? []].flat();
		case 'ed25519':
			return ofEdwards;
		default:
			return ofLattices.filter((algorithm) => algorithm.toLowerCase() === type);
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
