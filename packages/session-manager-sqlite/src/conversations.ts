export { SqliteConversationStore } from './conversations/sqlite-conversation-store.js';
export type { SqliteDatabase, SqliteSource, SqliteStatement, SqliteValue } from './file/driver.js';
