import type { Clock } from '@holdfast/session-manager';
import { ConversationError } from '../contract/conversation-error.js';
import type { ConversationStore } from '../contract/conversation-store.js';
import type { SearchCandidate, SearchKind } from '../contract/search-request.js';
import { parseQuery } from '../store/search-text.js';
import { snippetOf } from './snippet.js';

const DAY_MS = 24 * 60 * 60 * 1000;
/** After so many days, age has halved what it adds to the rank. */
const HALF_LIFE_DAYS = 30;

/** What to look through. */
export interface SearchOptions {
	/** @default all of them */
	readonly kinds?: readonly SearchKind[] | undefined;
	/** @default 20 */
	readonly limit?: number | undefined;
}

/** Something that was found, without its whole text. */
export interface SearchHit extends Omit<SearchCandidate, 'text' | 'score'> {
	/** The part of the text where the words are. */
	readonly snippet: string;
	/** How high it ranks, above 0: how well it matches, times relevance and age. */
	readonly rank: number;
}

/** Searches where `where` says, and ranks what is found. Throws `invalid` where the query has no words. */
export async function search(
	{ store, clock }: { readonly store: ConversationStore; readonly clock: Clock },
	query: string,
	where: { readonly conversation?: string; readonly principal: string },
	{ kinds, limit = 20 }: SearchOptions = {},
): Promise<SearchHit[]> {
	const terms = parseQuery(String(query));
	if (terms.length === 0) {
		throw new ConversationError(
			'invalid',
			'The query has no words: give words, "a phrase", or the beginning of a word*.',
		);
	}
	// More than is returned: what matches a little less well may be newer, or matter more.
	const candidates = await store.search({ ...where, terms, kinds, limit: Math.max(50, limit * 3) });
	const now = clock.now();
	return candidates
		.map(({ text, score, ...found }) => ({
			...found,
			snippet: snippetOf(text, terms),
			rank: score * (0.5 + (found.relevance ?? 0.5)) * (0.5 + 0.5 * freshness(found.at, now)),
		}))
		.sort((one, other) => other.rank - one.rank)
		.slice(0, limit);
}

function freshness(at: number, now: number): number {
	return 0.5 ** (Math.max(0, now - at) / DAY_MS / HALF_LIFE_DAYS);
}
