import {
	type Clock,
	type EndedSession,
	InfoSessionManager,
	MAX_STATE_BYTES,
	type NodeRecord,
	type SessionLimits,
	SessionManagerError,
	type SessionPage,
	type SessionPatch,
	type SessionRecord,
	type SessionStatus,
	type StoredStateValue,
	systemClock,
} from '@holdfast/session-manager/custom';
import {
	checkOptions,
	type OptionSchemas,
	principalLimit,
	roomFor,
	storeLimit,
} from '@holdfast/session-manager/internal';
import { PostgresConnection, type Row } from './connection/connection.js';
import { DEFAULT_SCHEMA, type PostgresOptions, postgresOptions } from './connection/options.js';
import { checkSource, type PostgresSource } from './connection/source.js';
import { ownerOf, patchValues, readEndedRecord, readNode, readRecord, recordValues } from './record.js';
import { quoted } from './sql/identifier.js';
import { infoStatements, updateStatement } from './sql/info-statements.js';
import type { Statement } from './sql/statement.js';
import { hashOf, originalText, storedText } from './stored-text.js';

/** Options of {@link PostgresInfoSessionManager}. */
export interface PostgresInfoSessionManagerOptions extends PostgresOptions {
	/**
	 * The most living sessions in the store, of all nodes together, and as many records of other kinds; 0: unlimited.
	 * Beyond it, and beyond three quarters of it for records without a principal, `create` throws `SessionManagerError`
	 * `limit`.
	 *
	 * @default 100,000
	 */
	readonly maxSessions?: number;
	/**
	 * The source of time.
	 *
	 * @default the machine's clock
	 */
	readonly clock?: Clock;
}

/** How many sessions one statement looks at to remove those that are over. */
const LOOKED_AT_ONCE = 200;
/** How many leases that are over one statement removes. */
const LEASES_AT_ONCE = 1_000;
/** How many subscribers of a resource one statement reads. */
const SUBSCRIBERS_AT_ONCE = 10_000;
/** The greatest number that the functions take; as many sessions are as good as any. */
const NO_LIMIT = 2 ** 31 - 1;

/**
 * Stores sessions in PostgreSQL 15 or later. A record is one row, read in one round trip. What expires is measured by
 * the server's clock, and freed by `removeExpired`. The connection opens on first use.
 *
 * @example
 * ```ts source="../test/examples/postgres-info-session-manager.examples.ts#options"
 * const info = new PostgresInfoSessionManager('postgres://localhost/shop', { schema: 'mcp', maxSessions: 100_000 });
 * info.onerror = report;
 * ```
 */
export class PostgresInfoSessionManager extends InfoSessionManager {
	readonly #database: PostgresConnection;
	readonly #schema: string;
	readonly #statements: ReturnType<typeof infoStatements>;
	/** Those of updates, by the names of the fields that they set. */
	readonly #updates = new Map<string, Statement>();
	readonly #clock: Clock;
	readonly #maxSessions: number;

	constructor(source: PostgresSource, options: PostgresInfoSessionManagerOptions = {}) {
		super();
		const owner = 'PostgresInfoSessionManager';
		checkOptions(owner, postgresOptions satisfies OptionSchemas<PostgresInfoSessionManagerOptions>, options);
		checkSource(owner, source);
		this.#schema = quoted(options.schema ?? DEFAULT_SCHEMA);
		this.#statements = infoStatements(this.#schema);
		this.#database = new PostgresConnection(source, options, { error: (error) => this.onerror?.(error) });
		this.#clock = options.clock ?? systemClock;
		this.#maxSessions = options.maxSessions ?? 100_000;
	}

	override async create(record: SessionRecord, { perPrincipal }: SessionLimits = {}): Promise<boolean> {
		const hash = record.principal === undefined ? null : hashOf(record.principal);
		const { owner, isVerified } = ownerOf(record);
		const room = roomFor(record, this.#maxSessions);
		let result: unknown;
		do {
			const most = perPrincipal === undefined ? null : Math.min(perPrincipal, NO_LIMIT);
			const limits = [hashOf(owner), isVerified, this.#clock.now(), most, Math.min(room, NO_LIMIT)];
			result = await this.#result(this.#statements.create, [...recordValues(record, hash), ...limits]);
		} while (result === 'again');
		switch (result) {
			case 'created':
				return true;
			case 'taken':
				return false;
			case 'principal-limit':
				throw principalLimit(Number(perPrincipal), record.kind);
			default:
				throw storeLimit(room, record.kind);
		}
	}

	override async read(id: string): Promise<SessionRecord | undefined> {
		const row = await this.#row(id);
		return row?.['living'] === true ? readRecord(row) : undefined;
	}

	override async readEnded(id: string): Promise<EndedSession | undefined> {
		const row = await this.#row(id);
		return row?.['living'] === false && row['kept'] === true ? readEndedRecord(row) : undefined;
	}

	override async update(id: string, patch: SessionPatch, from?: SessionStatus): Promise<boolean> {
		const values = patchValues(patch);
		const fields = [...values.keys()].sort();
		const name = fields.join(' ');
		let statement = this.#updates.get(name);
		if (statement === undefined) {
			statement = updateStatement(this.#schema, fields);
			this.#updates.set(name, statement);
		}
		const parameters = [storedText(id), from ?? null, this.#clock.now(), ...fields.map((field) => values.get(field))];
		return (await this.#database.count(statement, parameters)) > 0;
	}

	override async touch(id: string, usedAt: number): Promise<boolean> {
		return this.#affects(this.#statements.touch, [storedText(id), usedAt, this.#clock.now()]);
	}

	override async delete(id: string): Promise<boolean> {
		return (await this.#result(this.#statements.delete, [storedText(id)])) === true;
	}

	override async end(id: string, at: number, reason: string): Promise<boolean> {
		const values = [storedText(id), at, storedText(reason), this.#clock.now()];
		return (await this.#result(this.#statements.end, values)) === true;
	}

	override async endUnused(at: number, reason: string, principal?: string): Promise<string | undefined> {
		if (principal !== undefined) {
			const values = [at, storedText(reason), this.#clock.now(), hashOf(principal)];
			return idOf(await this.#result(this.#statements.endUnusedOf, values));
		}
		for (;;) {
			const values = [at, storedText(reason), this.#clock.now()];
			const [row] = await this.#database.run(this.#statements.endUnused, values);
			if (row?.['more'] !== true) return idOf(row?.['ended']);
		}
	}

	override sessionsOf(principal: string, kind?: string): Promise<string[]> {
		const stored = kind === undefined ? null : storedText(kind);
		return this.#texts(this.#statements.owned, [hashOf(principal), stored]);
	}

	override async addSubscription(id: string, uri: string): Promise<boolean> {
		const values = [storedText(id), hashOf(uri), storedText(uri)];
		return (await this.#result(this.#statements.subscribe, values)) === true;
	}

	override removeSubscription(id: string, uri: string): Promise<boolean> {
		return this.#affects(this.#statements.unsubscribe, [storedText(id), hashOf(uri)]);
	}

	override async getSubscriptions(uri: string): Promise<string[]> {
		const ids: string[] = [];
		for (let last = '', isMore = true; isMore; ) {
			const rows = await this.#database.run(this.#statements.subscribers, [hashOf(uri), last, SUBSCRIBERS_AT_ONCE]);
			for (const row of rows) if (row['living'] === true) ids.push(originalText(String(row['id'])));
			last = String(rows.at(-1)?.['id']);
			isMore = rows.length === SUBSCRIBERS_AT_ONCE;
		}
		return ids;
	}

	override getSubscribedUris(id: string): Promise<string[]> {
		return this.#texts(this.#statements.subscriptions, [storedText(id)]);
	}

	override async readState(id: string, key: string): Promise<StoredStateValue | undefined> {
		const [row] = await this.#database.run(this.#statements.readState, [storedText(id), hashOf(key)]);
		return row && readStateValue(row);
	}

	override async listState(id: string): Promise<ReadonlyMap<string, StoredStateValue>> {
		const rows = await this.#database.run(this.#statements.listState, [storedText(id)]);
		return new Map(rows.map((row) => [originalText(String(row['key'])), readStateValue(row)]));
	}

	override async writeState(
		id: string,
		key: string,
		expected: string | undefined,
		value: string | undefined,
	): Promise<boolean> {
		const bytes = value === undefined ? 0 : Buffer.byteLength(key) + Buffer.byteLength(value);
		const stored = value === undefined ? null : storedText(value);
		const values = [storedText(id), hashOf(key), storedText(key), expected ?? '', stored, bytes, MAX_STATE_BYTES];
		const result = await this.#result(this.#statements.writeState, values);
		if (result !== 'limit') return result === 'written';
		throw new SessionManagerError('limit', `The state of a session must have at most ${MAX_STATE_BYTES} bytes.`);
	}

	override async scan(cursor: string | undefined, limit: number): Promise<SessionPage> {
		const count = Math.max(1, Math.floor(limit));
		const rows = await this.#database.run(this.#statements.scan, [cursor ?? '', count]);
		const records = rows.map(readRecord);
		const last = rows.at(-1)?.['id'];
		return rows.length < count ? { records } : { records, cursor: String(last) };
	}

	override async removeExpired(limit: number): Promise<number> {
		while ((await this.#result(this.#statements.removeLeases, [LEASES_AT_ONCE])) === LEASES_AT_ONCE);
		let freed = 0;
		for (let isMore = true; isMore && freed < limit; ) {
			const wanted = Math.min(limit - freed, LOOKED_AT_ONCE);
			const [row] = await this.#database.run(this.#statements.reap, [LOOKED_AT_ONCE, wanted]);
			freed += Number(row?.['freed']);
			isMore = row?.['more'] === true;
		}
		if (freed < limit) await this.#database.run(this.#statements.recount);
		return freed;
	}

	override async acquireLease(name: string, holder: string, ttlMs: number): Promise<boolean> {
		return (await this.#result(this.#statements.acquireLease, [storedText(name), storedText(holder), ttlMs])) === true;
	}

	override async releaseLease(name: string, holder: string): Promise<void> {
		await this.#database.run(this.#statements.releaseLease, [storedText(name), storedText(holder)]);
	}

	override async announceNode(node: NodeRecord, ttlMs: number): Promise<void> {
		const id = storedText(node.id);
		if (ttlMs <= 0) await this.#database.run(this.#statements.withdraw, [id]);
		else await this.#database.run(this.#statements.announce, [id, JSON.stringify(node), ttlMs]);
	}

	override async nodes(): Promise<NodeRecord[]> {
		return (await this.#database.run(this.#statements.nodes)).map((row) => readNode(row['text']));
	}

	override close(): void {
		this.#database.close();
	}

	async #row(id: string): Promise<Row | undefined> {
		const text = await this.#result(this.#statements.read, [storedText(id)]);
		return text === undefined ? undefined : (JSON.parse(String(text)) as Row);
	}

	async #result(statement: Statement, values: readonly unknown[]): Promise<unknown> {
		return (await this.#database.run(statement, values))[0]?.['result'];
	}

	async #affects(statement: Statement, values: readonly unknown[]): Promise<boolean> {
		return (await this.#database.count(statement, values)) > 0;
	}

	async #texts(statement: Statement, values: readonly unknown[]): Promise<string[]> {
		return (await this.#database.run(statement, values)).map((row) => originalText(String(row['text'])));
	}
}

function idOf(ended: unknown): string | undefined {
	return typeof ended === 'string' ? originalText(ended) : undefined;
}

function readStateValue(row: Row): StoredStateValue {
	return { version: String(row['version']), value: originalText(String(row['value'])) };
}
