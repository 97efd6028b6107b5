export type { PostgresSource } from './connection/source.js';
export {
	PostgresConversationStore,
	type PostgresConversationStoreOptions,
} from './conversations/postgres-conversation-store.js';
