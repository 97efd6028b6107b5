import { createHash } from 'node:crypto';

/** What begins a text that is stored as JSON. */
const ESCAPE = '\u0001';

/**
 * Returns `text` as PostgreSQL can store it: its text holds neither NUL nor lone surrogates. Control characters are
 * escaped with them, so that ids can be joined by line breaks.
 */
export function storedText(text: string): string {
	return /[\p{Control}\p{Surrogate}]/u.test(text) ? ESCAPE + JSON.stringify(text) : text;
}

/** Returns the text of which {@link storedText} made `stored`. */
export function originalText(stored: string): string {
	return stored.startsWith(ESCAPE) ? (JSON.parse(stored.slice(ESCAPE.length)) as string) : stored;
}

/** An index takes only short values, and none of them is compared in any way but exactly. */
export function hashOf(text: string): Buffer {
	return createHash('sha256').update(storedText(text)).digest();
}
