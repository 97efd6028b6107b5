import type { SearchTerm } from '@holdfast/conversations/custom';

/** The most words of a query that are looked up, however long its phrases are. */
const WORDS = 64;

/**
 * Returns what to look up for a query. All texts with its terms are found, and for strange queries a few more, which
 * comparing them leaves out. A look must not take long, so of a long phrase only the beginning is looked up, and no
 * beginning of a word twice: it costs as much as all words that begin so.
 */
export function lookedUp(terms: readonly SearchTerm[]): SearchTerm[] {
	const most = Math.max(1, Math.floor(WORDS / terms.length));
	const beginnings: string[] = [];
	const bounded = terms.map(({ words, prefix }) => {
		if (words.length > most) return { words: words.slice(0, most), prefix: false };
		const last = words.at(-1) ?? '';
		if (!prefix || words.length === 1) return { words, prefix };
		if (beginnings.some((other) => other.startsWith(last) || last.startsWith(other))) {
			return { words: words.slice(0, -1), prefix: false };
		}
		beginnings.push(last);
		return { words, prefix };
	});
	const distinct = [...new Map(bounded.map((term) => [JSON.stringify(term), term])).values()];
	return distinct.filter((term) => !distinct.some((other) => other !== term && implies(other, term)));
}

/** Returns whether every text with a term has a word that begins as another one says. */
function implies({ words }: SearchTerm, { words: [word = '', ...more], prefix }: SearchTerm): boolean {
	return prefix && more.length === 0 && words.some((other) => other.startsWith(word));
}
