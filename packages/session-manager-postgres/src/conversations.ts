export {
	PostgresConversationStore,
	type PostgresConversationStoreOptions,
} from './conversations/postgres-conversation-store.js';
export type { PostgresSource } from './connection/source.js';
