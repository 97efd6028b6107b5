import type { Json, JsonObject } from '@holdfast/session-manager';
import type { MessageContent, NewDiscovery } from '../contract/conversation-record.js';
import type { SearchTerm } from '../contract/search-request.js';

/** Writing without spaces between words: each of its characters counts as a word. */
const SPACELESS = '\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Thai}';
const WORD = new RegExp(`[${SPACELESS}]|(?:(?![${SPACELESS}])[\\p{L}\\p{N}])+`, 'gu');
/** The most terms of one query; more are ignored. */
const MAX_TERMS = 16;

/**
 * Returns the words of a text as they are searched: runs of letters and digits, in lower case and without diacritics.
 * Every store indexes these, so all of them find the same.
 */
export function tokensOf(text: string): string[] {
	// Most texts have nothing to take apart, and a search compares hundreds.
	if (/^\p{ASCII}*$/u.test(text)) return text.toLowerCase().match(/[a-z0-9]+/g) ?? [];
	return text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase().match(WORD) ?? [];
}

/**
 * Reads a query: words, "phrases" in double quotes, and beginnings of words as `cach*`. All of them must be found.
 */
export function parseQuery(query: string): SearchTerm[] {
	const terms: SearchTerm[] = [];
	for (const [, phrase, word = ''] of query.matchAll(/"([^"]*)"?|([^\s"]+)/g)) {
		const prefix = phrase === undefined && word.endsWith('*');
		const words = tokensOf(phrase ?? word);
		if (words.length > 0 && terms.length < MAX_TERMS) terms.push({ words, prefix });
	}
	return terms;
}

/**
 * Returns how well a text matches, 0 where a term is missing. The more often terms occur, for the length of the text,
 * the higher (BM25 with an average length of 100 words).
 */
export function scoreOf(tokens: readonly string[], terms: readonly SearchTerm[]): number {
	const norm = 1.2 * (0.25 + (0.75 * tokens.length) / 100);
	let score = 0;
	for (const term of terms) {
		const times = occurrencesOf(tokens, term);
		if (times === 0) return 0;
		score += (times * 2.2) / (times + norm);
	}
	return score;
}

function occurrencesOf(tokens: readonly string[], { words, prefix }: SearchTerm): number {
	const last = words.length - 1;
	let times = 0;
	for (let at = 0; at + last < tokens.length; at++) {
		const found = words.every((word, n) =>
			prefix && n === last ? tokens[at + n]?.startsWith(word) : tokens[at + n] === word,
		);
		if (found) times++;
	}
	return times;
}

/** Returns the text of a message that is searched: its text, and the text of its blocks. */
export function textOfContent(content: MessageContent): string {
	if (typeof content === 'string') return content;
	return content.map(textOfBlock).filter(Boolean).join('\n');
}

function textOfBlock(block: JsonObject): string {
	const { text, resource, uri, name } = block;
	if (typeof text === 'string') return text;
	if (typeof resource === 'object' && resource !== null && 'text' in resource) return String(resource.text);
	return [name, uri].filter((part) => typeof part === 'string').join(' ');
}

/** Returns the text of a value that is searched: its key, then every text, number and name in it. */
export function textOfValue(key: string, value: Json): string {
	return `${key}\n${typeof value === 'string' ? value : JSON.stringify(value)}`;
}

/** Returns the text of a discovery that is searched. */
export function textOfDiscovery({ title, description }: Pick<NewDiscovery, 'title' | 'description'>): string {
	return `${title}\n${description}`;
}
