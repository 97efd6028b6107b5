import type { SearchTerm } from '../contract/search-request.js';
import { tokensOf } from '../store/search-text.js';
import { partOf } from './well-formed.js';

const LENGTH = 200;

/** Returns the part of a text around the first word that was searched for, at most about 200 characters. */
export function snippetOf(text: string, terms: readonly SearchTerm[]): string {
	const flat = text.replace(/\s+/g, ' ').trim();
	if (flat.length <= LENGTH) return flat;
	const wanted = new Set(terms.flatMap(({ words }) => words));
	const prefixes = terms.filter(({ prefix }) => prefix).map(({ words }) => words.at(-1) ?? '');
	const isWanted = (token: string) => wanted.has(token) || prefixes.some((prefix) => token.startsWith(prefix));
	let at = 0;
	for (const { 0: word, index } of flat.matchAll(/\S+/g)) {
		if (!tokensOf(word).some(isWanted)) continue;
		at = index;
		break;
	}
	const from = Math.max(0, Math.min(at - LENGTH / 4, flat.length - LENGTH));
	const to = from + LENGTH;
	return `${from > 0 ? '…' : ''}${partOf(flat, from, to).trim()}${to < flat.length ? '…' : ''}`;
}
