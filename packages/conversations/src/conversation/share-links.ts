import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { ConversationError } from '../contract/conversation-error.js';
import type { Role } from '../contract/conversation-record.js';

/** A secret that signs share links. */
export interface ShareKey {
	/** Names the key; it is part of each link. Letters, digits, `_` and `-`. */
	readonly id: string;
	/** At least 32 random bytes. */
	readonly secret: string | Uint8Array;
}

/** What a share link says. */
export interface ShareClaims {
	readonly conversation: string;
	/** Names the link among those of the conversation. */
	readonly link: string;
	readonly role: Exclude<Role, 'owner'>;
	/** In milliseconds since the Unix epoch. */
	readonly expiresAt: number;
}

const PREFIX = 'share';

/**
 * Signs share links, and reads those that it signed. The first key signs; every key is believed, so that a new key can
 * be put before the old one without a link becoming invalid.
 */
export class ShareLinks {
	readonly #keys: readonly ShareKey[];

	/** Throws `TypeError` where a key is too short or its id cannot be part of a link. */
	constructor(keys: readonly ShareKey[]) {
		for (const { id, secret } of keys) {
			if (!/^[\w-]{1,64}$/.test(id)) {
				throw new TypeError(`The id of a share key must be 1 to 64 letters, digits, "_" or "-"; it is "${id}".`);
			}
			if (Buffer.byteLength(secret) < 32) throw new TypeError(`The secret of share key "${id}" must have 32 bytes.`);
		}
		this.#keys = keys;
	}

	/** Returns a new id for a link. */
	newId(): string {
		return randomBytes(12).toString('base64url');
	}

	/** Returns the link for `claims`. Whoever has it can join the conversation: treat it as a password. */
	mint(claims: ShareClaims): string {
		const [key] = this.#keys;
		if (key === undefined) {
			throw new ConversationError('invalid', 'Share links are off on this server: the option shareKeys is not set.');
		}
		const payload = Buffer.from(JSON.stringify(claims)).toString('base64url');
		const signed = `${PREFIX}.${key.id}.${payload}`;
		return `${signed}.${signatureOf(key, signed).toString('base64url')}`;
	}

	/** Returns what a link says. Throws `invalid-link` where it was not signed here, was changed, or has expired. */
	verify(token: string, now: number): ShareClaims {
		const [prefix, id, payload = '', signature = '', ...rest] = token.split('.');
		const key = this.#keys.find((each) => each.id === id);
		if (prefix !== PREFIX || key === undefined || rest.length > 0) throw invalidLink();
		const expected = signatureOf(key, `${PREFIX}.${id}.${payload}`);
		const given = Buffer.from(signature, 'base64url');
		if (given.length !== expected.length || !timingSafeEqual(given, expected)) throw invalidLink();
		const claims: ShareClaims = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
		if (claims.expiresAt <= now) throw invalidLink();
		return claims;
	}
}

/** The error for every link that does not count: it does not say why, which would help who guesses. */
export function invalidLink(): ConversationError {
	return new ConversationError(
		'invalid-link',
		'This share link does not count: it was changed, has expired or was revoked. Ask the owner for a new one.',
	);
}

function signatureOf({ secret }: ShareKey, signed: string): Buffer {
	return createHmac('sha256', secret).update(signed).digest();
}
