export type { PostgresOptions } from './connection/options.js';
export type { PostgresSource } from './connection/source.js';
export { PostgresInfoSessionManager, type PostgresInfoSessionManagerOptions } from './postgres-info-session-manager.js';
export { postgresSchemaSql } from './postgres-schema-sql.js';
export { type PostgresSessionManager, postgresSessionManager } from './postgres-session-manager.js';
export {
	PostgresStreamSessionManager,
	type PostgresStreamSessionManagerOptions,
} from './postgres-stream-session-manager.js';
