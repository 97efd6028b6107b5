import { Conversations, FileConversationStore, InMemoryConversationStore } from '@holdfast/conversations';
import type { ConversationHead, ConversationStore } from '@holdfast/conversations/custom';

export function memory() {
	//#region memory
	const conversations = new Conversations(new InMemoryConversationStore());
	//#endregion memory
	return conversations;
}

export function files(report: (error: Error) => void) {
	//#region files
	const store = new FileConversationStore('./conversations');
	store.onerror = report;
	const conversations = new Conversations(store);
	//#endregion files
	return conversations;
}

export async function repair(store: FileConversationStore) {
	//#region repair
	const repaired = await store.repair('debug-memory-leak');
	//#endregion repair
	return repaired;
}

export async function contract(store: ConversationStore, head: ConversationHead) {
	//#region contract
	await store.create(head);
	const first = await store.append(head.id, [{ role: 'user', content: 'Hello', at: Date.now() }]);
	const messages = await store.messages(head.id, { before: first, limit: 20 });
	//#endregion contract
	return messages;
}
