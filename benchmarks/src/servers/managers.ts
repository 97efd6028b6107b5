import type { InfoSessionManager, StreamSessionManager } from '@holdfast/session-manager/custom';
import type { HttpTransport } from '@holdfast/transport-http';

/** Where sessions are kept. */
export type StoreName = 'memory' | 'redis' | 'postgres' | 'sqlite';

/** The variables that say where the stores of a run are. */
export const storeVariables = {
	redis: 'HOLDFAST_BENCH_REDIS',
	postgres: 'HOLDFAST_BENCH_POSTGRES',
	sqlite: 'HOLDFAST_BENCH_SQLITE',
} as const satisfies Partial<Record<StoreName, string>>;

/** Both managers of a node. */
export interface Managers {
	readonly streams: StreamSessionManager;
	readonly info: InfoSessionManager;
}

/** The options of a transport on a store without a limit on sessions: a benchmark opens more than a server should. */
export async function transportOn(store: StoreName): Promise<ConstructorParameters<typeof HttpTransport>[1]> {
	return { sessionManager: await managersOn(store) };
}

/** Both managers on a store, without a limit on sessions; `durability` is PostgreSQL's. */
export async function managersOn(store: StoreName, durability?: 'fast' | 'strict'): Promise<Managers> {
	const options = { maxSessions: 0 };
	// Loads only what this store needs, so that no process has the modules of another in its memory.
	switch (store) {
		case 'memory': {
			const memory = await import('@holdfast/session-manager');
			return {
				streams: new memory.InMemoryStreamSessionManager(),
				info: new memory.InMemoryInfoSessionManager(options),
			};
		}
		case 'redis': {
			const redis = await import('@holdfast/session-manager-redis');
			return {
				streams: new redis.RedisStreamSessionManager(addressOf(store)),
				info: new redis.RedisInfoSessionManager(addressOf(store), options),
			};
		}
		case 'postgres': {
			const { postgresSessionManager } = await import('@holdfast/session-manager-postgres');
			return postgresSessionManager(addressOf(store), { ...options, ...(durability && { durability }) });
		}
		case 'sqlite': {
			const { sqliteSessionManager } = await import('@holdfast/session-manager-sqlite');
			return sqliteSessionManager(addressOf(store), options);
		}
	}
}

/** A stream manager on a store; `durability` is PostgreSQL's. */
export async function streamsOn(store: StoreName, durability?: 'fast' | 'strict'): Promise<StreamSessionManager> {
	switch (store) {
		case 'memory':
			return new (await import('@holdfast/session-manager')).InMemoryStreamSessionManager();
		case 'redis':
			return new (await import('@holdfast/session-manager-redis')).RedisStreamSessionManager(addressOf(store));
		case 'postgres': {
			const { PostgresStreamSessionManager } = await import('@holdfast/session-manager-postgres');
			return new PostgresStreamSessionManager(addressOf(store), durability === undefined ? {} : { durability });
		}
		case 'sqlite':
			return new (await import('@holdfast/session-manager-sqlite')).SqliteStreamSessionManager(addressOf(store));
	}
}

function addressOf(store: keyof typeof storeVariables): string {
	return process.env[storeVariables[store]] ?? '';
}
