/*
 * Half of a character that takes two UTF-16 units is no text to clients in other languages: one that gets it in a
 * message may hear nothing of it at all.
 */

/** Returns the text from one place to another; where either is inside a character, from or to before that. */
export function partOf(text: string, from: number, to: number): string {
	return text.slice(beforePair(text, from), beforePair(text, to));
}

function beforePair(text: string, at: number): number {
	const isInside = /^[\ud800-\udbff][\udc00-\udfff]$/.test(text.slice(Math.max(0, at - 1), at + 1));
	return isInside ? at - 1 : at;
}

/** Returns the text with U+FFFD for each half of a character. */
export function wellFormed(text: string): string {
	return text.replace(/\p{Surrogate}/gu, '\ufffd');
}

/** Returns a value as JSON, with U+FFFD for each half of a character; `undefined` where there is no JSON for it. */
export function jsonOf(value: unknown): string | undefined {
	const text: string | undefined = JSON.stringify(value);
	// Of characters that need not be escaped, only halves are.
	if (!text?.includes('\\ud')) return text;
	return text.replace(/\\(?:ud[\da-f]{3}|.)/g, (escaped) => (escaped.length > 2 ? '\ufffd' : escaped));
}
