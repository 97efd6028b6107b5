import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { pid } from 'node:process';
import {
	BROADCAST_CHANNEL,
	type BrokerAttached,
	type BrokerEvent,
	type BrokerPosition,
	type BrokerStart,
	BrokerStreamSessionManager,
	type BrokerStreamSessionManagerOptions,
	type HistorySlice,
	isAddress,
	type StreamPosition,
} from '@holdfast/session-manager/custom';
import { checkOptions, type OptionSchemas } from '@holdfast/session-manager/internal';
import { PostgresConnection, type Row } from './connection/connection.js';
import { DEFAULT_SCHEMA, type PostgresOptions, postgresOptions } from './connection/options.js';
import { checkSource, type PostgresSource } from './connection/source.js';
import { quoted } from './sql/identifier.js';
import { streamStatements } from './sql/stream-statements.js';
import { storedText } from './stored-text.js';
import type { AppendBatch } from './streams/append-batch.js';
import { AppendQueue } from './streams/append-queue.js';
import { PostgresListener } from './streams/listener.js';
import { ADDRESS_OVER, messagePayloads, type Notice } from './streams/notification.js';
import { partsOf } from './streams/stream-parts.js';

/** Options of {@link PostgresStreamSessionManager}. */
export interface PostgresStreamSessionManagerOptions extends BrokerStreamSessionManagerOptions, PostgresOptions {
	/**
	 * A direct way to the server, for the connection that listens, where the other goes through a pooler.
	 *
	 * @default the same way
	 */
	readonly listenUrl?: PostgresSource;
}

/** How many streams one step of the sweeper looks at. */
const SWEPT_AT_ONCE = 500;
/** The shortest and the longest time between two sweeps, in milliseconds. */
const MIN_SWEEP_MS = 100;
const MAX_SWEEP_MS = 30_000;
/**
 * The sweeper goes on until nothing is due, and looks at what is held again once it may be old. It takes events to be
 * kept for this long at least, in milliseconds, or it would never be done.
 */
const MIN_KNOWN_MS = 1_000;
/** A request stream reads no broadcasts. */
const noBroadcasts: HistorySlice = Object.freeze({ epoch: '0', start: 0, events: [], gap: false });

/**
 * Delivers streams across any number of nodes through PostgreSQL 15 or later. Events are kept in a table, and the nodes
 * that hold their streams are notified in the same commit. Two connections open on first use: one that listens, and a
 * pipelined one for statements.
 *
 * @example
 * ```ts source="../test/examples/postgres-stream-session-manager.examples.ts#options"
 * const streams = new PostgresStreamSessionManager('postgres://localhost/shop', { history: { maxAgeMs: 60_000 } });
 * streams.onerror = report;
 * ```
 */
export class PostgresStreamSessionManager extends BrokerStreamSessionManager {
	readonly #database: PostgresConnection;
	readonly #listener: PostgresListener;
	readonly #statements: ReturnType<typeof streamStatements>;
	/** Events of streams and of the broadcasts go in the order of the calls. */
	readonly #appends = new AppendQueue((batch) => this.#append(batch));
	/** Identifies this manager among the holders, and shows operators where it is. */
	readonly #writer = `${hostname()}:${pid}:${randomBytes(6).toString('base64url')}`;
	/** Whether the listener was lost, and is not back yet. */
	#isDeaf = false;
	#messages = 0;
	#stopSweep: (() => void) | undefined;

	constructor(source: PostgresSource, options: PostgresStreamSessionManagerOptions = {}) {
		super(options);
		const owner = 'PostgresStreamSessionManager';
		checkOptions(owner, postgresOptions satisfies OptionSchemas<PostgresStreamSessionManagerOptions>, options);
		checkSource(owner, source);
		const { listenUrl = source } = options;
		checkSource(`The option listenUrl of ${owner}`, listenUrl);
		const schema = quoted(options.schema ?? DEFAULT_SCHEMA);
		this.#statements = streamStatements(schema);
		const error = (error: Error) => this.onerror?.(error);
		this.#database = new PostgresConnection(source, options, {
			// A crash takes the epoch away. Made anew by two statements that also lock streams, it would be a deadlock.
			setUp: async (client) => {
				await client.query(`select ${schema}.epoch()`);
			},
			lost: () => this.interrupted('streams'),
			ready: () => this.#restoreStreams(),
			error,
		});
		this.#listener = new PostgresListener(
			listenUrl,
			{ ...options, prepare: options.prepare !== false || listenUrl !== source },
			{
				notice: (notice) => this.#receive(notice),
				message: (address, data) =>
					this.received(address, data === undefined ? { type: 'over' } : { type: 'event', offset: 0, data }),
				lost: () => {
					this.#isDeaf = true;
					this.interrupted();
				},
				ready: () => {
					if (this.#isDeaf) this.restored('addresses');
					this.#isDeaf = false;
					this.#restoreStreams();
				},
				error,
			},
		);
	}

	override async close(): Promise<void> {
		await super.close();
		this.#stopSweep?.();
		this.#listener.close();
		this.#database.close();
	}

	override async expireIn(id: string, ms: number): Promise<void> {
		await this.#database.run(this.#statements.expireIn, [storedText(id), microseconds(ms), this.#maxAge]);
	}

	protected override async attach(
		id: string,
		token: string,
		after: BrokerStart,
		keep: boolean,
		since?: StreamPosition,
	): Promise<BrokerAttached> {
		this.#appends.flush();
		const rows = await this.#database.run(this.#statements.takeOver, [
			...partsOf(id),
			token,
			keep,
			...positionOf(after.own),
			...positionOf(after.broadcasts),
			...positionOf(since),
			after.of ?? null,
			this.#listener.node,
			this.#listener.life,
			this.#writer,
			...this.#history,
		]);
		const outcome = rows[0]?.['kind'] as BrokerAttached['outcome'];
		const order = Number(rows[0]?.['data']);
		if (outcome !== 'taken') return { outcome, order, own: noBroadcasts, broadcasts: noBroadcasts };
		const end = rows.findIndex((row) => row['kind'] === 'broadcasts');
		if (end === -1) return { outcome, order, own: sliceOf(rows), broadcasts: noBroadcasts };
		return { outcome, order, own: sliceOf(rows.slice(0, end)), broadcasts: sliceOf(rows.slice(end)) };
	}

	protected override readBroadcasts(after: StreamPosition): Promise<HistorySlice> {
		return this.#readBroadcasts(after);
	}

	protected override async detach(id: string, token: string, { own, broadcasts }: BrokerPosition): Promise<void> {
		const values = [...partsOf(id), token, ...positionOf(own), ...positionOf(broadcasts)];
		await this.#database.run(this.#statements.detach, values);
	}

	protected override append(ids: readonly string[], data: string): Promise<(number | undefined)[]> {
		return this.#appends.add(ids, data);
	}

	protected override async appendBroadcast(data: string): Promise<void> {
		await this.#appends.add([BROADCAST_CHANNEL], data);
	}

	protected override async lastBroadcast(): Promise<StreamPosition> {
		const { epoch, start } = await this.#readBroadcasts();
		return { epoch, offset: start };
	}

	protected override async publish(addresses: readonly string[], data: string): Promise<void> {
		const payloads = messagePayloads(++this.#messages, data);
		await this.#notify(addresses, payloads);
	}

	protected override async forget(id: string): Promise<void> {
		if (isAddress(id)) return this.#notify([id], [ADDRESS_OVER]);
		this.#appends.flush();
		await this.#database.run(this.#statements.forget, partsOf(id));
	}

	protected override async subscribe(id: string): Promise<void> {
		this.#database.connect();
		this.#beginToSweep();
		// Taking a stream says which node hears of it.
		if (isAddress(id) && id !== BROADCAST_CHANNEL) await this.#listener.subscribe(id);
		else await this.#listener.ready();
	}

	protected override async unsubscribe(id: string): Promise<void> {
		if (isAddress(id) && id !== BROADCAST_CHANNEL && !this.closed) await this.#listener.unsubscribe(id);
	}

	protected override async isHeard(id: string): Promise<boolean> {
		if (!this.#listener.isKnown) await this.#listener.ready();
		const rows = isAddress(id)
			? await this.#database.run(this.#statements.isHeard, [this.#listener.keyOf(id)])
			: await this.#database.run(this.#statements.isHeld, partsOf(id));
		return rows[0]?.['held'] === true;
	}

	get #maxAge(): number {
		return microseconds(this.limits.maxAgeMs);
	}

	/** The limits of a history as functions take them: events, bytes, microseconds. */
	get #history(): [events: number, bytes: number, age: number] {
		const { maxEvents, maxBytes } = this.limits;
		return [Math.min(maxEvents, 2 ** 31 - 1), Math.floor(Math.min(maxBytes, Number.MAX_SAFE_INTEGER)), this.#maxAge];
	}

	async #append(batch: AppendBatch): Promise<string> {
		this.#beginToSweep();
		// What is called later must not overtake this.
		if (!this.#listener.isKnown) await this.#listener.ready();
		const lone = batch.loneValues();
		const [row] = await this.#database.run(this.#statements[lone === undefined ? 'append' : 'appendEvent'], [
			...(lone ?? batch.values()),
			...[this.#listener.broadcasts, this.#listener.life],
			...this.#history,
		]);
		return String(row?.['result']);
	}

	async #notify(addresses: readonly string[], payloads: readonly string[]): Promise<void> {
		if (!this.#listener.isKnown) await this.#listener.ready();
		const channels = addresses.flatMap((address) => payloads.map(() => this.#listener.channelOf(address)));
		await this.#database.run(this.#statements.notify, [channels, addresses.flatMap(() => payloads)]);
	}

	async #readBroadcasts(after?: StreamPosition): Promise<HistorySlice> {
		const values = [...positionOf(after), ...this.#history];
		return sliceOf(await this.#database.run(this.#statements.readBroadcasts, values));
	}

	#receive(notice: Notice): void {
		const { id, ...message } = notice;
		this.received(id, message);
	}

	/** Streams are restored once both connections are there. */
	#restoreStreams(): void {
		if (this.#listener.isReady && this.#database.isReady) this.restored('streams');
	}

	/** Whoever writes or holds streams sweeps. */
	#beginToSweep(): void {
		if (this.#stopSweep === undefined && !this.closed) this.#sweepLater();
	}

	#sweepLater(): void {
		// A partition can be truncated for half of that time, before it is written to again.
		const intervalMs = Math.min(MAX_SWEEP_MS, Math.max(MIN_SWEEP_MS, this.limits.maxAgeMs / 4));
		this.#stopSweep = this.clock.after(intervalMs, () => {
			this.#sweep()
				.catch((error: Error) => {
					if (!this.closed) this.onerror?.(error);
				})
				.finally(() => {
					if (!this.closed) this.#sweepLater();
				});
		});
	}

	/** Every node sweeps; what one looks at, the others pass over. */
	async #sweep(): Promise<void> {
		if (!this.#database.isReady) return;
		const known = microseconds(Math.max(MIN_KNOWN_MS, this.limits.maxAgeMs));
		let isMore = true;
		while (isMore && !this.closed) {
			const [row] = await this.#database.run(this.#statements.sweep, [SWEPT_AT_ONCE, known]);
			isMore = row?.['result'] === true;
		}
		await this.#database.run(this.#statements.truncate, [this.#maxAge]);
	}
}

/** A client can make up any offset; PostgreSQL takes only so many digits. */
function positionOf(position: StreamPosition | undefined): [epoch: string | null, offset: number | null] {
	if (position === undefined) return [null, null];
	return [position.epoch, Math.min(position.offset, Number.MAX_SAFE_INTEGER)];
}

/** PostgreSQL takes whole numbers, and multiplies these; 30,000 years are as good as for ever. */
function microseconds(ms: number): number {
	return Math.round(Math.min(ms, 1e15) * 1_000);
}

function sliceOf([head, ...rows]: readonly Row[]): HistorySlice {
	const events: BrokerEvent[] = rows.map((row) => ({ offset: Number(row['off']), data: String(row['data']) }));
	return { epoch: String(head?.['epoch']), start: Number(head?.['off']), gap: head?.['gap'] === true, events };
}
