import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres, startRedis } from '@holdfast/local-cluster';
import { PostgresStreamSessionManager } from '@holdfast/session-manager-postgres';
import { Redis } from 'ioredis';
import { Client } from 'pg';
import { type StoreName, storeVariables } from './servers/managers.js';

/** A store that is compared with the others. */
export interface BenchStore {
	readonly title: string;
	readonly name: StoreName;
	/** The durability of PostgreSQL. */
	readonly durability?: 'fast' | 'strict';
	/** How many commands or transactions it has carried out. */
	questions?(): Promise<number>;
	/** How many bytes of memory or of files its data take. */
	bytes?(): Promise<number>;
}

/** All stores of a run, where servers find them by the variables of their environment. */
export class BenchStores implements AsyncDisposable {
	readonly all: readonly BenchStore[];
	readonly #close: () => Promise<void>;

	private constructor(all: readonly BenchStore[], close: () => Promise<void>) {
		this.all = all;
		this.#close = close;
	}

	static async start(): Promise<BenchStores> {
		const redis = await startRedis();
		const postgres = await startPostgres({ fsync: 'on' });
		const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
		const file = join(folder, 'sessions.db');
		process.env[storeVariables.redis] = redis.url;
		process.env[storeVariables.postgres] = postgres.url;
		process.env[storeVariables.sqlite] = file;
		await schemaIsMade(postgres.url);
		const asked = new Client({ connectionString: postgres.url });
		await asked.connect();
		const commands = new Redis(redis.url);
		const ofPostgres = {
			name: 'postgres',
			questions: () => number(asked, 'select xact_commit from pg_stat_database where datname = current_database()'),
			bytes: () => number(asked, 'select pg_database_size(current_database())'),
		} as const;
		const all: BenchStore[] = [
			{ title: 'memory', name: 'memory' },
			{
				title: 'Redis',
				name: 'redis',
				questions: () => infoOf(commands, 'stats', 'total_commands_processed'),
				bytes: () => infoOf(commands, 'memory', 'used_memory'),
			},
			{
				title: 'SQLite',
				name: 'sqlite',
				bytes: async () => ['', '-wal'].reduce((sum, end) => sum + sizeOf(file + end), 0),
			},
			{ title: 'PostgreSQL', ...ofPostgres },
			{ title: "PostgreSQL, `durability: 'strict'`", ...ofPostgres, durability: 'strict' },
		];
		return new BenchStores(all, async () => {
			commands.disconnect();
			await asked.end();
			await Promise.all([redis.close(), postgres.close()]);
			rmSync(folder, { recursive: true });
		});
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.#close();
	}
}

/** The first node makes the schema; until then it serves nobody. */
async function schemaIsMade(url: string): Promise<void> {
	await using streams = new PostgresStreamSessionManager(url);
	for (;;) {
		try {
			await streams.has('nobody');
			return;
		} catch {
			// It is being made.
		}
	}
}

async function number(client: Client, sql: string): Promise<number> {
	return Number(Object.values((await client.query(sql)).rows[0] ?? {})[0]);
}

async function infoOf(client: Redis, section: string, name: string): Promise<number> {
	return Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(await client.info(section))?.[1]);
}

function sizeOf(file: string): number {
	return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
