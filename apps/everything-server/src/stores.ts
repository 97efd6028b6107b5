import {
	type InfoSessionManager,
	InMemoryInfoSessionManager,
	InMemoryStreamSessionManager,
	type StreamSessionManager,
} from '@holdfast/session-manager';
import { RedisInfoSessionManager, RedisStreamSessionManager } from '@holdfast/session-manager-redis';

/** The pair of managers that a store's name or URL stands for, and how to let go of them. */
export interface Store {
	readonly streams: StreamSessionManager;
	readonly info: InfoSessionManager;
	close(): Promise<void>;
}

/** Opens what `--store` names: `memory`, or the URL of a Redis. */
export function openStore(name: string): Store {
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
