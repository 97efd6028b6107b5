import { Buffer } from 'node:buffer';
import { createHash, randomFillSync } from 'node:crypto';

/** Options about the ids of sessions. */
export interface SessionIdOptions {
	/**
	 * Makes session ids instead of our CSPRNG: 8 to 256 visible ASCII characters, never the same again, and not to be guessed. An id
	 * that a client chose is never accepted.
	 */
	readonly getSessionId?: () => string;
	/**
	 * Whether sessions are stored under a hash of their id, so that nobody who reads the store can use one (default `false`).
	 * `session.id` is the hash then. All nodes must agree.
	 */
	readonly hashSessionIds?: boolean;
}

/** Issues the ids by which clients name their sessions, and knows under which id each is stored. */
export class SessionIds {
	readonly #getSessionId: () => string;
	readonly #hashes: boolean;

	constructor(options: SessionIdOptions) {
		this.#getSessionId = options.getSessionId ?? randomId;
		this.#hashes = options.hashSessionIds ?? false;
	}

	/** A fresh id for a client. */
	issue(): string {
		const id = this.#getSessionId();
		if (typeof id === 'string' && /^[\x21-\x7e]{8,256}$/.test(id)) return id;
		throw new TypeError('getSessionId must return 8 to 256 visible ASCII characters.');
	}

	/** The id under which the session is stored that a client names `wireId`. */
	stored(wireId: string): string {
		return this.#hashes ? createHash('sha256').update(wireId).digest('base64url') : wireId;
	}
}

/** Whether `text` may name a session: visible ASCII (2025-11-25, Session Management), of at most 256 characters. */
export function isSessionId(text: string): boolean {
	return /^[\x21-\x7e]{1,256}$/.test(text);
}

/** Random bytes of one id: 192 bits, 32 characters. */
const ID_BYTES = 24;
/** Asking the system for a few bytes costs as much as for many. */
const pool = Buffer.alloc(ID_BYTES * 128);
let used = pool.length;

/** A fresh id that nobody can guess, from the system's CSPRNG: 32 characters of `A-Za-z0-9_-`. */
export function randomId(): string {
	if (used === pool.length) {
		randomFillSync(pool);
		used = 0;
	}
	const end = used + ID_BYTES;
	const id = pool.toString('base64url', used, end);
	// Nobody who reads this memory later learns an id that was given.
	pool.fill(0, used, end);
	used = end;
	return id;
}
