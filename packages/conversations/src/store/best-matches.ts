import type { SearchCandidate, SearchRequest } from '../contract/search-request.js';
import { scoreOf, tokensOf } from './search-text.js';

/** A text that may match. */
export type SearchedText = Omit<SearchCandidate, 'score'>;

/**
 * How many texts an index hands over for one search to be compared, and how many bytes of them, so that a search for
 * words that are everywhere takes no longer than others. The newest are.
 */
export const MAX_COMPARED = Object.freeze({ texts: 500, bytes: 4_000_000 });

/** Returns those of the texts that contain every term, in their order, with how well they match. */
export function matching(texts: Iterable<SearchedText>, { terms }: Pick<SearchRequest, 'terms'>): SearchCandidate[] {
	const found: SearchCandidate[] = [];
	for (const text of texts) {
		const score = scoreOf(tokensOf(text.text), terms);
		if (score > 0) found.push({ ...text, score });
	}
	return found;
}

/** Returns the best of what was found. */
export function best(found: readonly SearchCandidate[], limit: number): SearchCandidate[] {
	return found.toSorted((one, other) => other.score - one.score).slice(0, Math.max(0, limit));
}
