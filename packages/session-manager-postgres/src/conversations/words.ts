import { type SearchTerm, tokensOf } from '@holdfast/conversations/custom';
import { hashOf } from '../stored-text.js';

/** The longest word in an index, in characters; of a longer one its beginning is. PostgreSQL takes 2,046 bytes. */
const MAX_WORD = 500;
/** The last place in a text that PostgreSQL tells from others, and how many places of a word it keeps. */
const [MAX_PLACE, MAX_PLACES] = [16_383, 255];
/** What the words of a text may take, in bytes; PostgreSQL takes 1,048,575. */
const MAX_BYTES = 900_000;

/** In place of words: the text has too many for an index, so every search looks at it. */
const ANY = `'*'`;
/** Beside words: the text is too long to say where they are. No word of a text looks like these. */
const ANYWHERE = `'?'`;

/** Returns the words of a text as a `tsvector`. */
export function wordsOf(text: string): string {
	const tokens = tokensOf(text);
	const places = new Map<string, number[]>();
	for (const [index, token] of tokens.entries()) {
		const word = token.slice(0, MAX_WORD);
		const known = places.get(word);
		if (known === undefined) places.set(word, [index + 1]);
		else known.push(index + 1);
	}
	const isPlaced = tokens.length <= MAX_PLACE && [...places.values()].every(({ length }) => length <= MAX_PLACES);
	const words = isPlaced ? [] : [ANYWHERE];
	let bytes = 0;
	for (const [word, at] of places) {
		bytes += Buffer.byteLength(word) + 8 + (isPlaced ? 2 * at.length : 0);
		words.push(isPlaced ? `'${word}':${at.join()}` : `'${word}'`);
	}
	return bytes > MAX_BYTES ? ANY : words.join(' ');
}

/**
 * Returns what finds every text with all of the terms, as a `tsquery`. Words hold letters and digits only, so nothing
 * in them can be mistaken for an operator within the quotes.
 */
export function queryOf(terms: readonly SearchTerm[]): string {
	const all = terms.map(({ words, prefix }) => {
		const quoted = words.map((word, index) => {
			const isBeginning = prefix && index === words.length - 1;
			return `'${word.slice(0, MAX_WORD)}'${isBeginning ? ':*' : ''}`;
		});
		if (quoted.length === 1) return quoted[0];
		return `(${quoted.join(' <-> ')} | (${[ANYWHERE, ...quoted].join(' & ')}))`;
	});
	return `(${all.join(' & ')} | ${ANY})`;
}

/** Returns the same for the texts in conversations of an owner. */
export function queryOfOwner(terms: readonly SearchTerm[], owner: string): string {
	return `${queryOf(terms)} & '@${hashOf(owner).subarray(0, 16).toString('hex')}'`;
}
