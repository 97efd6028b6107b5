import {
	type InfoSessionManager,
	InMemoryInfoSessionManager,
	InMemoryStreamSessionManager,
	type StreamSessionManager,
} from '@holdfast/session-manager';
import { postgresSessionManager } from '@holdfast/session-manager-postgres';
import { RedisInfoSessionManager, RedisStreamSessionManager } from '@holdfast/session-manager-redis';
import { sqliteSessionManager } from '@holdfast/session-manager-sqlite';

/** The two managers of a store, and how to close them. */
export interface Store {
	readonly streams: StreamSessionManager;
	readonly info: InfoSessionManager;
	close(): Promise<void>;
}

/**
 * Opens the store of `--store`: `memory`, the URL of a Redis or a PostgreSQL, or the path of a file. Rejects for a file
 * that cannot be used; servers may come later.
 */
export async function openStore(name: string): Promise<Store> {
	if (/^postgres(ql)?:/.test(name)) return postgresSessionManager(name);
	if (isFile(name)) {
		const store = sqliteSessionManager(name);
		await store.info.scan(undefined, 1);
		return store;
	}
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

/** A path names its folder, so that nobody makes a file by a slip of the pen. */
export function isFile(name: string): boolean {
	return /[\\/]/.test(name) && !/^\w\w+:/.test(name);
}
