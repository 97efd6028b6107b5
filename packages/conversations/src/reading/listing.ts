import type { StoredConversation } from '../contract/conversation-record.js';
import type { ConversationFilter, ConversationStore } from '../contract/conversation-store.js';

/** Returns every conversation that matches, page by page. */
export async function* allOf(
	store: ConversationStore,
	filter: ConversationFilter,
): AsyncGenerator<StoredConversation, void> {
	let cursor: string | undefined;
	do {
		const page = await store.list(filter, cursor, 100);
		yield* page.conversations;
		cursor = page.cursor;
	} while (cursor !== undefined);
}
