import type { ContextEntry, Discovery, Message } from '../contract/conversation-record.js';
import type { SearchRequest } from '../contract/search-request.js';
import type { SearchedText } from './best-matches.js';
import { textOfContent, textOfDiscovery, textOfValue } from './search-text.js';

/** What of a conversation is searched. */
interface Searched {
	readonly id: string;
	readonly messages: readonly Message[];
	readonly context: readonly ContextEntry[];
	readonly discoveries: readonly Discovery[];
}

/** Returns every text of the wanted kinds in a conversation, for stores without an index. */
export function* textsIn(searched: Searched, { kinds }: SearchRequest): Generator<SearchedText, void> {
	const { id, messages, context, discoveries } = searched;
	if (kinds === undefined || kinds.includes('message')) for (const message of messages) yield messageText(id, message);
	if (kinds === undefined || kinds.includes('context')) for (const entry of context) yield contextText(id, entry);
	if (kinds === undefined || kinds.includes('discovery'))
		for (const discovery of discoveries) yield discoveryText(id, discovery);
}

/** Returns what of a message is searched, and what is told when it is found. */
export function messageText(conversation: string, { number, content, at, archived }: Message): SearchedText {
	return { conversation, kind: 'message', number, text: textOfContent(content), at, archived };
}

/** Returns the same of a value. */
export function contextText(conversation: string, { key, value, updatedAt, archived }: ContextEntry): SearchedText {
	return { conversation, kind: 'context', key, text: textOfValue(key, value), at: updatedAt, archived };
}

/** Returns the same of a discovery. */
export function discoveryText(conversation: string, discovery: Discovery): SearchedText {
	const { number, at, relevance } = discovery;
	const text = textOfDiscovery(discovery);
	return { conversation, kind: 'discovery', number, text, at, relevance, archived: false };
}
