import type { Socket } from 'node:net';
import { SessionManagerError } from '@holdfast/session-manager/custom';
import type { Client, ClientConfig, Query, QueryResult } from 'pg';
import type { Statement } from '../sql/statement.js';
import type { PostgresOptions } from './options.js';
import type { PostgresSource } from './source.js';

/** The timeout of a connection attempt, in milliseconds. */
const CONNECT_TIMEOUT_MS = 3_000;
/** After how long without traffic the system asks whether the other end is still there, in milliseconds. */
const KEEP_ALIVE_MS = 5_000;
/**
 * How long the server works on one statement, in milliseconds. Its caller has given up before; but one that takes long
 * on a busy server, and is tried again, must get done some time.
 */
const STATEMENT_TIMEOUT_MS = 5_000;

/** A client, and what sends its statements. */
export class StatementClient {
	readonly client: Client;
	readonly #newQuery: (text: string, values: readonly unknown[]) => Query;
	readonly #socket: Socket;
	/** Whether what is written waits for the end of this turn of the event loop. */
	#isCorked = false;

	constructor(client: Client, newQuery: (text: string, values: readonly unknown[]) => Query, socket: Socket) {
		this.client = client;
		this.#newQuery = newQuery;
		this.#socket = socket;
	}

	/** Sends a statement, by its name if it has one and `prepare` says so. Those of one turn go out together. */
	run({ name, text }: Statement, values: readonly unknown[], prepare: boolean): Promise<QueryResult> {
		if (!this.#isCorked) {
			this.#isCorked = true;
			this.#socket.cork();
			process.nextTick(() => {
				this.#isCorked = false;
				this.#socket.uncork();
			});
		}
		// pg copies the description of a query property by property, which takes longer than sending it.
		const query = this.#newQuery(text, values);
		if (prepare && name !== undefined) Object.assign(query, { name });
		return new Promise((resolve, reject) => {
			const answered = (error: Error | null, result: QueryResult) => (error ? reject(error) : resolve(result));
			(this.client.query as (query: Query, answered: unknown) => void)(query, answered);
		});
	}
}

/** Creates a client of our own on `socket`, which ends it at once, whatever it waits for. It is not connected yet. */
export async function createClient(
	socket: Socket,
	source: PostgresSource,
	{ ssl, prepare = true, durability = 'fast' }: PostgresOptions,
): Promise<StatementClient> {
	const { Client, Query } = await pg();
	const { options: given, ...config } = configOf(source);
	const settings = [given, ...(prepare ? settingsOf(durability) : [])].filter((each) => each !== undefined);
	const client = new Client({
		...config,
		...(ssl !== undefined && { ssl }),
		...(settings.length > 0 && { options: settings.join(' ') }),
		fallback_application_name: 'holdfast',
		pipeline: true,
		// It would close the connection, with everything that waits on it.
		query_timeout: 0,
		connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
		keepAlive: true,
		keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
		stream: () => socket,
		// Of the process's own parsers some may have been replaced.
		types: { getTypeParser: parserOf },
	} as ClientConfig);
	return new StatementClient(client, (text, values) => new Query(text, [...values]), socket);
}

async function pg(): Promise<typeof import('pg')> {
	try {
		return await import('pg');
	} catch (cause) {
		const message = 'PostgreSQL needs the package pg, which cannot be loaded: npm install pg.';
		throw new SessionManagerError('unavailable', message, { cause });
	}
}

/** Returns how errors name what a client reaches, without user and password. */
export function addressOf({ host, port }: Client): string {
	return host.startsWith('/') ? `PostgreSQL at ${host}` : `PostgreSQL at ${host}:${port}`;
}

/** What connections of ours need, whatever is set for the role or the database. */
function settingsOf(durability: 'fast' | 'strict'): string[] {
	const settings: Record<string, string | number> = {
		statement_timeout: STATEMENT_TIMEOUT_MS,
		search_path: 'pg_catalog',
		bytea_output: 'hex',
		// Statements are short; to compile one takes longer than to run it.
		jit: 'off',
		default_transaction_isolation: 'read\\ committed',
		// The server notices within about ten seconds that a machine has vanished.
		tcp_keepalives_idle: 5,
		tcp_keepalives_interval: 2,
		tcp_keepalives_count: 3,
		tcp_user_timeout: 10_000,
		...(durability === 'fast' && { synchronous_commit: 'off' }),
	};
	return Object.entries(settings).map(([name, value]) => `-c ${name}=${value}`);
}

/** What a URL says in `options` is taken out of it, because it would replace ours. */
function configOf(source: PostgresSource): ClientConfig {
	if (typeof source !== 'string') return source;
	if (!URL.canParse(source)) return { connectionString: source };
	const url = new URL(source);
	const options = url.searchParams.get('options');
	if (options === null) return { connectionString: source };
	url.searchParams.delete('options');
	return { connectionString: url.href, options };
}

/** By the types of the columns that our statements return. */
function parserOf(type: number): (text: string) => unknown {
	switch (type) {
		case 16: // boolean
			return (text) => text === 't';
		case 17: // bytea
			return (text) => Buffer.from(text.slice(2), 'hex');
		case 20: // bigint
		case 23: // integer
		case 701: // double precision
			return Number;
		default:
			return (text) => text;
	}
}
