import {
	type InfoSessionManager,
	InMemoryInfoSessionManager,
	InMemoryStreamSessionManager,
	type StreamSessionManager,
} from '@holdfast/session-manager';
import { postgresSessionManager } from '@holdfast/session-manager-postgres';
import { RedisInfoSessionManager, RedisStreamSessionManager } from '@holdfast/session-manager-redis';

/** The two managers of a store, and how to close them. */
export interface Store {
	readonly streams: StreamSessionManager;
	readonly info: InfoSessionManager;
	close(): Promise<void>;
}

/** Opens the store of `--store`: `memory`, or the URL of a Redis or a PostgreSQL. */
export function openStore(name: string): Store {
	if (/^postgres(ql)?:/.test(name)) return postgresSessionManager(name);
	const isMemory = name === 'memory';
	const streams = isMemory ? new InMemoryStreamSessionManager() : new RedisStreamSessionManager(name);
	const info = isMemory ? new InMemoryInfoSessionManager() : new RedisInfoSessionManager(name);
	return {
		streams,
		info,
		async close() {
			await streams.close();
			await info.close();
		},
	};
}
