import {
	BROADCAST_CHANNEL,
	type BrokerAttached,
	type BrokerMessage,
	type BrokerPosition,
	BrokerStreamSessionManager,
	type BrokerStreamSessionManagerOptions,
	type HistorySlice,
	isAddress,
	type MaybePromise,
	parseStreamId,
	type StreamPosition,
} from '@holdfast/session-manager/custom';
import { checkOptions, type OptionSchemas } from '@holdfast/session-manager/internal';
import { isStreamChannel, SqliteBus } from './bus.js';
import { bound } from './file/connection.js';
import type { SqliteSource } from './file/driver.js';
import { sqliteOptions } from './options.js';
import { checkSource } from './source.js';
import { processStatements } from './statements/bus.js';
import { streamStatements } from './statements/streams.js';
import { SqliteStore } from './store.js';
import { attach, detach, readBroadcasts } from './streams/attach.js';
import { StreamLog } from './streams/stream-log.js';
import { StreamSweeper } from './streams/stream-sweeper.js';
import { MESSAGE, readWorld } from './transaction.js';

/** Options of {@link SqliteStreamSessionManager}. */
export interface SqliteStreamSessionManagerOptions extends BrokerStreamSessionManagerOptions {}

/**
 * Delivers streams across all processes of one host through one SQLite file. Events are kept there until they are
 * delivered, also while no process runs. The file opens on first use.
 *
 * @example
 * ```ts source="../test/examples/sqlite-stream-session-manager.examples.ts#options"
 * const streams = new SqliteStreamSessionManager('./sessions.db', { history: { maxAgeMs: 60_000 } });
 * streams.onerror = report;
 * ```
 */
export class SqliteStreamSessionManager extends BrokerStreamSessionManager {
	readonly #store: SqliteStore;
	readonly #bus: SqliteBus;
	readonly #sweeper: StreamSweeper;
	readonly #onerror = (error: Error) => this.onerror?.(error);
	readonly #member = {
		received: (channel: string, message: BrokerMessage) => this.received(channel, message),
		interrupted: () => this.interrupted(),
		restored: () => this.restored(),
	};

	/** `source` is the path of the file, or an open connection to it, which remains the caller's. */
	constructor(source: SqliteSource, options: SqliteStreamSessionManagerOptions = {}) {
		super(options);
		const owner = 'SqliteStreamSessionManager';
		checkOptions(owner, sqliteOptions satisfies OptionSchemas<SqliteStreamSessionManagerOptions>, options);
		checkSource(owner, source);
		this.#store = SqliteStore.use(source, this.#onerror);
		this.#bus = SqliteBus.of(this.#store);
		this.#sweeper = new StreamSweeper(this.#store, this.#bus, this.limits);
	}

	override async close(): Promise<void> {
		await super.close();
		this.#sweeper.close();
		await this.#bus.leave(this.#member);
		await this.#store.release(this.#onerror);
	}

	override async expireIn(id: string, ms: number): Promise<void> {
		// The store may be another manager's, too.
		void super.expireIn(id, ms);
		await this.#store.write((transaction) => {
			StreamLog.at(transaction, id, this.limits).endAt(transaction.now + Math.max(1, Math.floor(ms)));
		});
	}

	protected override attach(
		id: string,
		token: string,
		after: Partial<BrokerPosition>,
		keep: boolean,
		since?: StreamPosition,
	): Promise<BrokerAttached> {
		const wish = { id, token, after, keep, since };
		return this.#bus.write((transaction) => attach(transaction, this.#bus, this.limits, wish));
	}

	protected override readBroadcasts(after: StreamPosition): Promise<HistorySlice> {
		return this.#store.write((transaction) => readBroadcasts(transaction, this.limits, after));
	}

	protected override detach(id: string, token: string, delivered: BrokerPosition): Promise<void> {
		return this.#store.write((transaction) => detach(transaction, this.limits, id, token, delivered));
	}

	protected override append(ids: readonly string[], data: string): Promise<(number | undefined)[]> {
		return this.#store.write((transaction) =>
			ids.map((id) => StreamLog.at(transaction, parseStreamId(id).sessionId, this.limits).append(id, data)),
		);
	}

	protected override appendBroadcast(data: string): Promise<void> {
		return this.#store.write((transaction) => {
			StreamLog.at(transaction, BROADCAST_CHANNEL, this.limits).append(BROADCAST_CHANNEL, data);
		});
	}

	protected override lastBroadcast(): MaybePromise<StreamPosition> {
		return this.#store.read((db) => {
			const { epoch, last } = readWorld(db);
			return { epoch, offset: last };
		});
	}

	protected override publish(addresses: readonly string[], data: string): Promise<void> {
		return this.#store.write((transaction) => {
			for (const address of addresses) {
				for (const { process } of transaction.db.all(processStatements.listeners, bound(address))) {
					transaction.post(Number(process), MESSAGE.event, address, data);
				}
			}
		});
	}

	protected override forget(id: string): Promise<void> {
		return this.#store.write((transaction) => {
			if (isAddress(id)) {
				for (const { process } of transaction.db.all(processStatements.listeners, bound(id))) {
					transaction.post(Number(process), MESSAGE.over, id, '');
				}
				return;
			}
			const { sessionId, name } = parseStreamId(id);
			const log = StreamLog.find(transaction, sessionId, this.limits);
			if (name === '') log?.remove();
			else log?.forget(id);
		});
	}

	protected override async subscribe(channel: string): Promise<void> {
		await this.#bus.join(this.#member);
		this.#sweeper.start();
		// Who holds a stream is written when it is taken.
		if (!isStreamChannel(channel)) await this.#bus.listen(channel);
	}

	protected override async unsubscribe(channel: string): Promise<void> {
		if (!isStreamChannel(channel) && !this.closed) await this.#bus.unlisten(channel);
	}

	protected override isHeard(channel: string): MaybePromise<boolean> {
		return this.#store.read((db) => {
			const { sessionId } = parseStreamId(channel);
			const rows = isStreamChannel(channel)
				? db.all(streamStatements.holder, bound(sessionId), bound(channel))
				: db.all(processStatements.listeners, bound(channel));
			return rows.some(({ process }) => this.#bus.isAlive(Number(process), db));
		});
	}
}
