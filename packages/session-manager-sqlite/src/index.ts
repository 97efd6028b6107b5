export type { SqliteDatabase, SqliteSource, SqliteStatement, SqliteValue } from './file/driver.js';
export { SqliteInfoSessionManager, type SqliteInfoSessionManagerOptions } from './sqlite-info-session-manager.js';
export { type SqliteSessionManager, sqliteSessionManager } from './sqlite-session-manager.js';
export { SqliteStreamSessionManager, type SqliteStreamSessionManagerOptions } from './sqlite-stream-session-manager.js';
