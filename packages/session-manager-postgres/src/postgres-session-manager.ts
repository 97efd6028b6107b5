import type { PostgresSource } from './connection/source.js';
import { PostgresInfoSessionManager, type PostgresInfoSessionManagerOptions } from './postgres-info-session-manager.js';
import {
	PostgresStreamSessionManager,
	type PostgresStreamSessionManagerOptions,
} from './postgres-stream-session-manager.js';

/** Both managers on one PostgreSQL. */
export interface PostgresSessionManager extends AsyncDisposable {
	readonly streams: PostgresStreamSessionManager;
	readonly info: PostgresInfoSessionManager;
	/** Closes both. Idempotent. */
	close(): Promise<void>;
}

/**
 * Makes both managers, as a transport takes them. Throws `TypeError` for what is no source, and for options that cannot
 * work. The connections open on first use.
 *
 * @example
 * ```ts source="../test/examples/postgres-session-manager.examples.ts#pair"
 * const sessionManager = postgresSessionManager('postgres://localhost/shop', { schema: 'mcp' });
 * sessionManager.streams.onerror = sessionManager.info.onerror = report;
 * ```
 */
export function postgresSessionManager(
	source: PostgresSource,
	options: PostgresInfoSessionManagerOptions & PostgresStreamSessionManagerOptions = {},
): PostgresSessionManager {
	const streams = new PostgresStreamSessionManager(source, options);
	const info = new PostgresInfoSessionManager(source, options);
	const close = async () => {
		await streams.close();
		info.close();
	};
	return { streams, info, close, [Symbol.asyncDispose]: close };
}
