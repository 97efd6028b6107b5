import { createHash } from 'node:crypto';

/**
 * Returns what operators see in place of a session id: 12 hexadecimal digits, the same as on the command line. Nobody
 * can use a session with it.
 */
export function shortHash(sessionId: string): string {
	return createHash('sha256').update(sessionId).digest('hex').slice(0, 12);
}

/** Returns whether `text` is spelled like a short hash. */
export function isShortHash(text: string): boolean {
	return /^[0-9a-f]{12}$/.test(text);
}
