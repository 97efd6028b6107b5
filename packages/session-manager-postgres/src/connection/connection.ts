import { Socket } from 'node:net';
import { SessionManagerError, systemClock } from '@holdfast/session-manager/custom';
import { deadline, toError } from '@holdfast/session-manager/internal';
import type { Client, QueryResult } from 'pg';
import type { Statement } from '../sql/statement.js';
import { checkRights } from './check-rights.js';
import { checkServer } from './check-server.js';
import { addressOf, createClient, type StatementClient } from './client.js';
import { isMigrated, migrate } from './migrate.js';
import { DEFAULT_SCHEMA, type PostgresOptions } from './options.js';
import type { PostgresSource } from './source.js';

/** How long the server may send no reply before it counts as unavailable, in milliseconds. */
const COMMAND_TIMEOUT_MS = 800;
/** The same where statements may be large: then it counts as unavailable when it sends nothing at all for so long. */
const LARGE_TIMEOUT_MS = 2_000;
/** How long the server may send no reply before the connection is given up, in milliseconds. */
const SILENCE_MS = 2_000;
/** The timeout of each step in which a new connection is set up, in milliseconds. */
const STEP_MS = 3_000;
/** The interval of pings, in milliseconds. */
const PING_MS = 2_000;
/** The longest delay between two connection attempts, in milliseconds. */
const MAX_RETRY_DELAY_MS = 500;

/** The callbacks of a connection. */
export interface ConnectionEvents {
	/** Sets a new connection up, before it is used. */
	setUp?(client: Client): Promise<void>;
	notification?(channel: string, payload: string): void;
	/** Called when a connection that was ready is lost. */
	lost?(): void;
	/** Called when a connection is ready. */
	ready?(): void;
	error(error: Error): void;
}

/** A row, by column. */
export type Row = Readonly<Record<string, unknown>>;

interface Pending {
	readonly since: number;
	sent: boolean;
	readonly start: (client: StatementClient) => void;
	readonly reject: (error: Error) => void;
}

/** A connection that is made or there: its client, and the socket below it. */
interface OwnClient {
	readonly socket: Socket;
	client?: StatementClient;
}

/**
 * One pipelined connection, which is made on first use and made again when it is lost. Statements are sent in the order
 * of the calls, each at most once. Any failure of PostgreSQL itself (unreachable, stalled, restarting, failing over)
 * becomes `SessionManagerError` `unavailable` within {@link COMMAND_TIMEOUT_MS}; a statement that was not sent by then
 * never is.
 */
export class PostgresConnection {
	readonly #source: PostgresSource;
	readonly #options: PostgresOptions;
	readonly #events: ConnectionEvents;
	readonly #isLarge: boolean;
	#own: OwnClient | undefined;
	#isReady = false;
	/** Statements without a reply, oldest first; one timer watches them all. */
	readonly #pending = new Set<Pending>();
	#repliedAt = 0;
	#failures = 0;
	/** How errors name what is reached. */
	#address = 'PostgreSQL';
	/** Why the connection is not ready, as far as it is known. */
	#lastError: Error | undefined;
	#stopWatch: (() => void) | undefined;
	#stopRetry: (() => void) | undefined;
	#stopPing: (() => void) | undefined;
	#closed = false;

	/** `isLarge`: whether it is for conversations, so that statements may have megabytes of parameters or results. */
	constructor(source: PostgresSource, options: PostgresOptions, events: ConnectionEvents, isLarge = false) {
		this.#isLarge = isLarge;
		this.#source = source;
		this.#options = options;
		this.#events = events;
	}

	/** Whether statements are sent at once. */
	get isReady(): boolean {
		return this.#isReady;
	}

	/** Runs a statement and returns its rows. */
	async run(statement: Statement, values: readonly unknown[] = []): Promise<readonly Row[]> {
		return (await this.#send(statement, values)).rows;
	}

	/** Runs a statement and returns how many rows it affected. */
	async count(statement: Statement, values: readonly unknown[] = []): Promise<number> {
		return (await this.#send(statement, values)).rowCount ?? 0;
	}

	/** Runs SQL without parameters. */
	async execute(sql: string): Promise<void> {
		await this.#enqueue(({ client }) => client.query(sql));
	}

	/** Connects. Idempotent. */
	connect(): void {
		if (this.#closed || this.#own !== undefined || this.#stopRetry !== undefined) return;
		const own: OwnClient = { socket: new Socket() };
		if (this.#isLarge) own.socket.on('data', () => this.#heard());
		this.#own = own;
		this.#setUp(own).catch((error: unknown) => this.#lose(own, toError(error)));
	}

	/** Gives the connection up, because what was learnt on it is of no use any more; another one is made. */
	reconnect(): void {
		if (this.#own !== undefined) this.#lose(this.#own);
	}

	/** Closes the connection. */
	close(): void {
		this.#closed = true;
		this.#stopWatch?.();
		this.#stopRetry?.();
		this.#stopPing?.();
		const own = this.#own;
		this.#own = undefined;
		if (own !== undefined) {
			if (this.#isReady && this.#pending.size === 0) own.client?.client.end().catch(() => {});
			else own.socket.destroy();
			// A server that hangs does not say goodbye.
			const stop = systemClock.after(SILENCE_MS, () => own.socket.destroy());
			own.socket.once('close', stop);
		}
		this.#isReady = false;
		for (const pending of this.#pending) pending.reject(closed());
		this.#pending.clear();
	}

	async #setUp(own: OwnClient): Promise<void> {
		const created = await createClient(own.socket, this.#source, this.#options);
		if (this.#own !== own) return;
		own.client = created;
		const { client } = created;
		this.#address = addressOf(client);
		client.on('notification', ({ channel, payload = '' }) => {
			if (this.#own === own) this.#events.notification?.(channel, payload);
		});
		client.on('error', (error) => this.#lose(own, error));
		client.on('end', () => this.#lose(own));
		const { schema = DEFAULT_SCHEMA, migrate: isOurWork = true } = this.#options;
		const inTime = <T>(step: Promise<T> | undefined) => this.#inTime(own, step);
		await client.connect();
		await inTime(checkServer(client, this.#options));
		if (!(await inTime(isMigrated(client, schema)))) await migrate(client, schema, isOurWork, inTime);
		await inTime(checkRights(client, schema, this.#isLarge));
		await inTime(this.#events.setUp?.(client));
		if (this.#own !== own) return;
		this.#failures = 0;
		this.#lastError = undefined;
		this.#isReady = true;
		this.#repliedAt = systemClock.monotonic();
		this.#pingLater(own, client);
		// Whoever hears that it is ready may send statements, which must not overtake those that wait.
		for (const pending of [...this.#pending]) if (!pending.sent) pending.start(created);
		this.#events.ready?.();
	}

	/** Gives the connection up where a step of its set-up gets no reply: its server, or the way to it, may be gone. */
	async #inTime<T>(own: OwnClient, step: Promise<T> | undefined): Promise<T | undefined> {
		let isDone = false;
		const stop = systemClock.after(STEP_MS, () =>
			setImmediate(() => {
				if (!isDone) this.#lose(own, new Error('PostgreSQL does not reply; the connection is made anew.'));
			}),
		);
		try {
			return await step;
		} finally {
			isDone = true;
			stop();
		}
	}

	/** The client is of no use any more. */
	#lose(own: OwnClient, error?: Error): void {
		if (this.#own !== own) return;
		this.#own = undefined;
		this.#stopPing?.();
		own.socket.destroy();
		const wasReady = this.#isReady;
		this.#isReady = false;
		if (this.#closed) return;
		if (error !== undefined) {
			this.#lastError = error;
			this.#events.error(error);
		}
		const delayMs = Math.min(50 * this.#failures++, MAX_RETRY_DELAY_MS);
		this.#stopRetry = systemClock.after(delayMs, () => {
			this.#stopRetry = undefined;
			this.connect();
		});
		if (wasReady) this.#events.lost?.();
	}

	#send(statement: Statement, values: readonly unknown[]): Promise<QueryResult> {
		return this.#enqueue((client) => client.run(statement, values, this.#options.prepare !== false));
	}

	#enqueue(issue: (client: StatementClient) => Promise<QueryResult>): Promise<QueryResult> {
		if (this.#closed) return Promise.reject(closed());
		return new Promise((resolve, reject) => {
			const pending: Pending = {
				since: systemClock.monotonic(),
				sent: false,
				reject,
				start: (client) => {
					pending.sent = true;
					issue(client).then(
						(result) => {
							this.#replied(pending);
							resolve(result);
						},
						(error: unknown) => {
							this.#replied(pending);
							reject(this.#translate(error));
						},
					);
				},
			};
			this.#pending.add(pending);
			if (this.#stopWatch === undefined) this.#watchAfter(this.#timeoutMs);
			const own = this.#own;
			// A client learns a little later that its socket is closed, and refuses statements until then.
			if (this.#isReady && own?.client !== undefined && own.socket.writable) pending.start(own.client);
			else this.connect();
		});
	}

	#replied(pending: Pending): void {
		this.#pending.delete(pending);
		this.#heard();
	}

	#heard(): void {
		this.#repliedAt = systemClock.monotonic();
	}

	get #timeoutMs(): number {
		return this.#isLarge ? LARGE_TIMEOUT_MS : COMMAND_TIMEOUT_MS;
	}

	/** After a busy period, the process first handles the replies that have arrived, before it declares any late. */
	#watchAfter(delayMs: number): void {
		this.#stopWatch = deadline(delayMs, () => setImmediate(() => this.#watch()));
	}

	#watch(): void {
		this.#stopWatch = undefined;
		const now = systemClock.monotonic();
		let next = Number.POSITIVE_INFINITY;
		for (const pending of this.#pending) {
			// A statement behind many others is not late while those get replies.
			const since = pending.sent ? Math.max(pending.since, this.#repliedAt) : pending.since;
			const left = since + this.#timeoutMs - now;
			if (left > 0) next = Math.min(next, left);
			else {
				this.#pending.delete(pending);
				pending.reject(this.#translate(this.#lastError ?? new Error('PostgreSQL did not reply in time.')));
			}
		}
		if (next < Number.POSITIVE_INFINITY) this.#watchAfter(next);
	}

	/** Pings distinguish a hung connection from an idle one: without a reply in time, it is made anew. */
	#pingLater(own: OwnClient, client: Client): void {
		this.#stopPing = systemClock.after(PING_MS, () => {
			const askedAt = systemClock.monotonic();
			let replied = false;
			client.query('select').then(
				() => {
					replied = true;
					this.#repliedAt = systemClock.monotonic();
				},
				() => {},
			);
			this.#stopPing = systemClock.after(SILENCE_MS, () =>
				setImmediate(() => {
					if (this.#own !== own) return;
					if (replied || this.#repliedAt > askedAt) this.#pingLater(own, client);
					else this.#lose(own, new Error('PostgreSQL does not reply; the connection is made anew.'));
				}),
			);
		});
	}

	#translate(error: unknown): Error {
		if (this.#closed) return closed();
		if (!(error instanceof Error)) return toError(error);
		if (error instanceof SessionManagerError) return error;
		const { code } = error as Error & { code?: string };
		// Where somebody listens and does not read, the queue of notifications is full, in whatever language it is said.
		const isQueueFull = code === '54000' && error.message.includes('NOTIFY');
		if (code !== undefined && !isQueueFull && callersMistakes.test(code)) return error;
		// A schema that is not there any more, or a server that is a standby now.
		if (code !== undefined && /^(42|3F|25)/.test(code)) this.reconnect();
		return new SessionManagerError('unavailable', `${this.#address} is unavailable; try again later.`, {
			cause: error,
		});
	}
}

/** Errors that another attempt gets again: values that a column does not take, or that are too long for it. */
const callersMistakes = /^(22|23|54)/;

function closed(): SessionManagerError {
	return new SessionManagerError('closed', 'The manager is closed.');
}
