import { Conversations } from '@holdfast/conversations';
import { SqliteConversationStore } from '@holdfast/session-manager-sqlite/conversations';

export function options(report: (error: Error) => void) {
	//#region options
	const store = new SqliteConversationStore('./conversations.db');
	store.onerror = report;
	const conversations = new Conversations(store);
	//#endregion options
	return conversations;
}
