import { Buffer } from 'node:buffer';
import { createHash, randomFillSync } from 'node:crypto';
import { isThenable } from '@holdfast/session-manager/custom';

/** Options for session ids. */
export interface SessionIdOptions {
	/**
	 * Returns a new session id: 8 to 256 visible ASCII characters, never the same twice, and impossible to guess. An id
	 * that a client chose is never accepted.
	 * @default 192 bits of the system's CSPRNG, as 32 characters
	 */
	readonly getSessionId?: () => string;
	/**
	 * Whether sessions are stored under a hash of their id, so that whoever can read the store cannot use them.
	 * `session.id` is the hash then. All nodes must agree.
	 * @default false
	 */
	readonly hashSessionIds?: boolean;
}

/** Issues session ids, and maps each to the id under which the session is stored. */
export class SessionIds {
	readonly #getSessionId: () => string;
	readonly #hashes: boolean;

	constructor(options: SessionIdOptions) {
		this.#getSessionId = options.getSessionId ?? randomId;
		this.#hashes = options.hashSessionIds ?? false;
	}

	/** Returns a new id for a client. Throws `TypeError` when `getSessionId` returns something unusable. */
	issue(): string {
		const id = this.#getSessionId();
		if (typeof id === 'string' && /^[\x21-\x7e]{8,256}$/.test(id)) return id;
		const wanted = 'getSessionId must return a string of 8 to 256 visible ASCII characters';
		throw new TypeError(`${wanted}, not ${wrongWith(id)}.`);
	}

	/** Returns the id under which the session is stored that a client names `wireId`. */
	stored(wireId: string): string {
		return this.#hashes ? createHash('sha256').update(wireId).digest('base64url') : wireId;
	}
}

/** Says what is wrong with an id, which is a secret. */
function wrongWith(id: unknown): string {
	if (isThenable(id)) return 'a promise of it';
	if (typeof id !== 'string') return id === undefined || id === null ? String(id) : `a value of type ${typeof id}`;
	return id.length < 8 || id.length > 256 ? `one of ${id.length}` : 'one with other characters';
}

/** Returns whether `text` can be a session id: 1 to 256 visible ASCII characters (2025-11-25, Session Management). */
export function isSessionId(text: string): boolean {
	return /^[\x21-\x7e]{1,256}$/.test(text);
}

/** Random bytes of one id: 192 bits, 32 characters. */
const ID_BYTES = 24;
/** Random bytes for many ids; a call of the system for a few bytes costs as much. */
const randomBytesPool = Buffer.alloc(ID_BYTES * 128);
let used = randomBytesPool.length;

/** Returns an unguessable id of 192 bits: 32 characters of `A-Za-z0-9_-`. */
export function randomId(): string {
	if (used === randomBytesPool.length) {
		randomFillSync(randomBytesPool);
		used = 0;
	}
	const end = used + ID_BYTES;
	const id = randomBytesPool.toString('base64url', used, end);
	// Whoever reads this memory later must not find ids in use.
	randomBytesPool.fill(0, used, end);
	used = end;
	return id;
}
