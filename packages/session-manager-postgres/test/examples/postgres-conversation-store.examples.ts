import { Conversations } from '@holdfast/conversations';
import { PostgresConversationStore } from '@holdfast/session-manager-postgres/conversations';

export function options(report: (error: Error) => void) {
	//#region options
	const store = new PostgresConversationStore('postgres://localhost/shop', { schema: 'mcp' });
	store.onerror = report;
	const conversations = new Conversations(store);
	//#endregion options
	return conversations;
}
