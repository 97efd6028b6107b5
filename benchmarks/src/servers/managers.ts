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

/** Where managers are in a store, and how. */
export interface ManagersOptions {
	/** The durability of PostgreSQL. */
	readonly durability?: 'fast' | 'strict' | undefined;
	/** The name of those that are nodes of each other and hear none of the rest. */
	readonly cluster?: string;
}

/** The options of a transport on a store without a limit on sessions: a benchmark opens more than a server should. */
export async function transportOn(
	store: StoreName,
	where?: ManagersOptions,
): Promise<ConstructorParameters<typeof HttpTransport>[1]> {
	return { sessionManager: await managersOn(store, where) };
}

/** Both managers on a store, without a limit on sessions. */
export async function managersOn(
	store: StoreName,
	{ durability, cluster = 'holdfast' }: ManagersOptions = {},
): Promise<Managers> {
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
			const keyPrefix = `${cluster}:`;
			return {
				streams: new redis.RedisStreamSessionManager(addressOf(store), { keyPrefix }),
				info: new redis.RedisInfoSessionManager(addressOf(store), { ...options, keyPrefix }),
			};
		}
		case 'postgres': {
			const { postgresSessionManager } = await import('@holdfast/session-manager-postgres');
			const schema = cluster;
			return postgresSessionManager(addressOf(store), { ...options, schema, ...(durability && { durability }) });
		}
		case 'sqlite': {
			const { sqliteSessionManager } = await import('@holdfast/session-manager-sqlite');
			return sqliteSessionManager(`${addressOf(store)}${cluster === 'holdfast' ? '' : `.${cluster}`}`, options);
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
