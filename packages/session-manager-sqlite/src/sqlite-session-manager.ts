import type { SqliteSource } from './file/driver.js';
import { SqliteInfoSessionManager, type SqliteInfoSessionManagerOptions } from './sqlite-info-session-manager.js';
import { SqliteStreamSessionManager, type SqliteStreamSessionManagerOptions } from './sqlite-stream-session-manager.js';

/** Both managers on one file. */
export interface SqliteSessionManager extends AsyncDisposable {
	readonly streams: SqliteStreamSessionManager;
	readonly info: SqliteInfoSessionManager;
	/** Closes both. Idempotent. */
	close(): Promise<void>;
}

/**
 * Makes both managers on one file, as a transport takes them.
 *
 * @example
 * ```ts source="../test/examples/sqlite-session-manager.examples.ts#pair"
 * const sessionManager = sqliteSessionManager('./sessions.db');
 * sessionManager.streams.onerror = sessionManager.info.onerror = report;
 * ```
 */
export function sqliteSessionManager(
	source: SqliteSource,
	options: SqliteInfoSessionManagerOptions & SqliteStreamSessionManagerOptions = {},
): SqliteSessionManager {
	const streams = new SqliteStreamSessionManager(source, options);
	const info = new SqliteInfoSessionManager(source, options);
	const close = async () => {
		await streams.close();
		await info.close();
	};
	return { streams, info, close, [Symbol.asyncDispose]: close };
}
