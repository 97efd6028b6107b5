import type { ContextEntry, Discovery, Message } from '../contract/conversation-record.js';
import type { SearchCandidate, SearchRequest } from '../contract/search-request.js';
import { scoreOf, textOfContent, textOfDiscovery, textOfValue, tokensOf } from './search-text.js';

/** What of a conversation is searched. */
interface Searched {
	readonly id: string;
	readonly messages: readonly Message[];
	readonly context: readonly ContextEntry[];
	readonly discoveries: readonly Discovery[];
}

/**
 * Returns what in a conversation contains every term, in no particular order: the search of stores without an index.
 */
export function candidatesIn(searched: Searched, { terms, kinds }: SearchRequest): SearchCandidate[] {
	const found: SearchCandidate[] = [];
	const look = (candidate: Omit<SearchCandidate, 'score' | 'conversation'>) => {
		const score = scoreOf(tokensOf(candidate.text), terms);
		if (score > 0) found.push({ ...candidate, conversation: searched.id, score });
	};
	if (kinds === undefined || kinds.includes('message')) {
		for (const { number, content, at, archived } of searched.messages) {
			look({ kind: 'message', number, text: textOfContent(content), at, archived });
		}
	}
	if (kinds === undefined || kinds.includes('context')) {
		for (const { key, value, updatedAt: at, archived } of searched.context) {
			look({ kind: 'context', key, text: textOfValue(key, value), at, archived });
		}
	}
	if (kinds === undefined || kinds.includes('discovery')) {
		for (const discovery of searched.discoveries) {
			const { number, at, relevance } = discovery;
			look({ kind: 'discovery', number, text: textOfDiscovery(discovery), at, relevance, archived: false });
		}
	}
	return found;
}
