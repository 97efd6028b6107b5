import type { StoredConversation } from '../contract/conversation-record.js';
import type { ConversationFilter, ConversationPage, ConversationStore } from '../contract/conversation-store.js';

/** Returns every conversation that matches, page by page. */
export async function* allOf(
	store: ConversationStore,
	filter: ConversationFilter,
): AsyncGenerator<StoredConversation, void> {
	for await (const { conversations } of pagesOf(store, filter)) yield* conversations;
}

/** Returns all pages of conversations that match. */
export async function* pagesOf(
	store: ConversationStore,
	filter: ConversationFilter,
): AsyncGenerator<ConversationPage, void> {
	let cursor: string | undefined;
	do {
		const page = await store.list(filter, cursor, 100);
		yield page;
		cursor = page.cursor;
	} while (cursor !== undefined);
}
