/** How deep the JSON of a client may be nested. */
const MAX_DEPTH = 100;
/** How many values the JSON of a client may have: each takes memory and time, however short its text is. */
const MAX_VALUES = 100_000;

const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE = 0x5d;

/**
 * Counts the values in a JSON text before it is parsed: every object, array, string, number, literal; member names do
 * not count. Returns `undefined` where there are more than `maxValues`, or where they are nested deeper than a client's
 * JSON may be. Takes time that is linear in the text; of text that is not JSON it gives any number.
 */
export function countJsonValues(text: string, maxValues = MAX_VALUES): number | undefined {
	let values = 0;
	let depth = 0;
	/** Whether the next value is the first in its list or object, so that no comma comes before it. */
	let first = true;
	for (let at = 0; at < text.length; at++) {
		const char = text.charCodeAt(at);
		if (char <= SPACE) continue;
		// `[` and `{`, `]` and `}` differ in one bit.
		const bracket = char & ~SPACE;
		if (bracket === CLOSE) {
			depth--;
			first = false;
			continue;
		}
		if ((first || char === COMMA) && ++values > maxValues) return undefined;
		first = bracket === OPEN;
		if (first && ++depth > MAX_DEPTH) return undefined;
		if (char === QUOTE) at = endOfString(text, at + 1);
	}
	return values;
}

/** Returns where the string ends whose first character is at `start`. */
function endOfString(text: string, start: number): number {
	for (let from = start; ; ) {
		const end = text.indexOf('"', from);
		if (end === -1) return text.length;
		let escapes = end;
		while (escapes > from && text.charCodeAt(escapes - 1) === BACKSLASH) escapes--;
		if ((end - escapes) % 2 === 0) return end;
		from = end + 1;
	}
}
