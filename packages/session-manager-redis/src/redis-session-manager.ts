import { RedisInfoSessionManager, type RedisInfoSessionManagerOptions } from './redis-info-session-manager.js';
import { RedisStreamSessionManager, type RedisStreamSessionManagerOptions } from './redis-stream-session-manager.js';
import type { RedisSource } from './source.js';

/** Options of {@link redisSessionManager}: those of both managers. */
export interface RedisSessionManagerOptions extends RedisInfoSessionManagerOptions, RedisStreamSessionManagerOptions {}

/** Both managers over one Redis, as the option `sessionManager` of a transport takes them. */
export interface RedisSessionManager extends AsyncDisposable {
	readonly streams: RedisStreamSessionManager;
	readonly info: RedisInfoSessionManager;
	/** Closes both managers. Call it once the transports that use them are closed. Idempotent. */
	close(): Promise<void>;
}

/**
 * Makes both managers over one Redis. A client given as `source` remains the caller's and is never closed. Throws
 * `TypeError` for what is no source, and for options that cannot work. The connections open on first use.
 *
 * @example
 * ```ts source="../test/examples/redis-session-manager.examples.ts#pair"
 * const sessionManager = redisSessionManager('redis://localhost:6379');
 * // new HttpTransport(createMcpServer, { sessionManager }), and once that is closed:
 * await sessionManager.close();
 * ```
 */
export function redisSessionManager(source: RedisSource, options?: RedisSessionManagerOptions): RedisSessionManager {
	const info = new RedisInfoSessionManager(source, options);
	const streams = new RedisStreamSessionManager(source, options);
	const close = async () => {
		info.close();
		await streams.close();
	};
	return { streams, info, close, [Symbol.asyncDispose]: close };
}
