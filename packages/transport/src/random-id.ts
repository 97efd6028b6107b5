import { Buffer } from 'node:buffer';
import { randomFillSync } from 'node:crypto';

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
