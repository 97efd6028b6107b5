import { Buffer } from 'node:buffer';
import {
	type Clock,
	type EndedSession,
	InfoSessionManager,
	MAX_STATE_BYTES,
	type MaybePromise,
	type NodeRecord,
	patched,
	type SessionLimits,
	SessionManagerError,
	type SessionPage,
	type SessionPatch,
	type SessionRecord,
	type SessionStatus,
	type StoredStateValue,
	statusOf,
	systemClock,
} from '@holdfast/session-manager/custom';
import {
	checkOptions,
	type OptionSchemas,
	principalLimit,
	roomFor,
	storeLimit,
} from '@holdfast/session-manager/internal';
import { bound, type SqliteConnection, textOf } from './file/connection.js';
import type { SqliteSource, SqliteValue } from './file/driver.js';
import { sqliteOptions } from './options.js';
import { readEndedRecord, readNode, readRecord, recordText } from './record.js';
import {
	count,
	discount,
	FREED_AT_ONCE,
	findKept,
	findLiving,
	lifeOf,
	ownerOf,
	removeSession,
	removeSubscriptions,
	sweepSessions,
	timeOf,
} from './session-row.js';
import { checkSource } from './source.js';
import { registryStatements, sessionStatements, stateStatements, subscriptionStatements } from './statements/info.js';
import { SqliteStore } from './store.js';
import { subscribersOf } from './subscribers.js';
import type { Transaction } from './transaction.js';

/** Options of {@link SqliteInfoSessionManager}. */
export interface SqliteInfoSessionManagerOptions {
	/**
	 * The most living sessions in the file, of all processes together, and as many records of other kinds; 0: unlimited.
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

/**
 * Stores sessions in one SQLite file, for every process of one host. They survive restarts. Reads return plain values
 * once the file is open. The file opens on first use.
 *
 * @example
 * ```ts source="../test/examples/sqlite-info-session-manager.examples.ts#options"
 * const info = new SqliteInfoSessionManager('./sessions.db', { maxSessions: 10_000 });
 * info.onerror = report;
 * ```
 */
export class SqliteInfoSessionManager extends InfoSessionManager {
	readonly #store: SqliteStore;
	readonly #clock: Clock;
	readonly #maxSessions: number;
	readonly #onerror = (error: Error) => this.onerror?.(error);

	/** `source` is the path of the file, or an open connection to it, which remains the caller's. */
	constructor(source: SqliteSource, options: SqliteInfoSessionManagerOptions = {}) {
		super();
		const owner = 'SqliteInfoSessionManager';
		checkOptions(owner, sqliteOptions satisfies OptionSchemas<SqliteInfoSessionManagerOptions>, options);
		checkSource(owner, source);
		this.#store = SqliteStore.use(source, this.#onerror);
		this.#clock = options.clock ?? systemClock;
		this.#maxSessions = options.maxSessions ?? 100_000;
	}

	override async create(record: SessionRecord, limits: SessionLimits = {}): Promise<boolean> {
		for (;;) {
			const created = await this.#store.write((transaction) => this.#create(transaction, record, limits));
			if (created !== 'full') return created;
			// What has expired is counted out before anybody is refused, in steps.
			const { seen } = await this.#store.write(({ db, now }) => sweepSessions(db, now, Number.POSITIVE_INFINITY));
			if (seen > 0) continue;
			throw storeLimit(roomFor(record, this.#maxSessions), record.kind);
		}
	}

	override read(id: string): MaybePromise<SessionRecord | undefined> {
		return this.#store.read((db, now) => {
			const session = findLiving(db, id, now, sessionStatements.read);
			return session && readRecord(session.row);
		});
	}

	override readEnded(id: string): MaybePromise<EndedSession | undefined> {
		return this.#store.read((db, now) => {
			const session = findKept(db, id, now, sessionStatements.read);
			return session === undefined || session.ends > now ? undefined : readEndedRecord(session.row, this.#clock.now());
		});
	}

	override update(id: string, patch: SessionPatch, from?: SessionStatus): Promise<boolean> {
		return this.#store.write(({ db, now }) => {
			const session = findLiving(db, id, now, sessionStatements.read);
			if (session === undefined) return false;
			const { key, row } = session;
			const record = readRecord(row);
			if (from !== undefined && statusOf(record) !== from) return false;
			const changed = patched(record, patch);
			const overAt = 'endsAt' in patch ? timeOf(patch.endsAt, this.#clock.now(), now) : Number(row['over_at']);
			const { ends, gone } = lifeOf(changed, Number(row['used_at']), overAt);
			db.run(sessionStatements.write, bound(recordText(changed)), overAt, ends, gone, ends, key);
			return true;
		});
	}

	override touch(id: string, usedAt: number): Promise<boolean> {
		return this.#store.write(({ db, now }) => {
			const session = findLiving(db, id, now, sessionStatements.read);
			if (session === undefined) return false;
			const { key, row } = session;
			const used = Math.max(Number(row['used_at']), timeOf(usedAt, this.#clock.now(), now));
			const { ends, gone } = lifeOf(readRecord(row), used, Number(row['over_at']));
			db.run(sessionStatements.touch, Math.max(usedAt, Number(row['last_used_at'])), used, ends, gone, key);
			return true;
		});
	}

	override delete(id: string): Promise<boolean> {
		return this.#store.write(({ db, now }) => {
			const row = db.get(sessionStatements.read, bound(id));
			if (row === undefined) return false;
			removeSession(db, row);
			return Number(row['gone']) > now;
		});
	}

	override end(id: string, at: number, reason: string): Promise<boolean> {
		return this.#store.write((transaction) => this.#end(transaction, id, at, reason));
	}

	override endUnused(at: number, reason: string, principal?: string): Promise<string | undefined> {
		return this.#store.write((transaction) => {
			for (;;) {
				const id = unusedSession(transaction, principal);
				if (id === undefined || this.#end(transaction, id, at, reason)) return id;
			}
		});
	}

	override sessionsOf(principal: string, kind?: string): MaybePromise<string[]> {
		return this.#store.read((db, now) =>
			db.all(sessionStatements.of, bound(principal), boundKind(kind), now).map(({ id }) => textOf(id)),
		);
	}

	override addSubscription(id: string, uri: string): Promise<boolean> {
		return this.#store.write(({ db, now }) => {
			const session = findLiving(db, id, now);
			if (session === undefined) return false;
			db.run(subscriptionStatements.add, session.key, bound(uri));
			return true;
		});
	}

	override removeSubscription(id: string, uri: string): Promise<boolean> {
		return this.#store.write(({ db, now }) => {
			const session = findLiving(db, id, now);
			if (session === undefined) return false;
			return db.get(subscriptionStatements.remove, session.key, bound(uri)) !== undefined;
		});
	}

	override getSubscriptions(uri: string): MaybePromise<string[]> {
		return subscribersOf(this.#store, uri);
	}

	override getSubscribedUris(id: string): MaybePromise<string[]> {
		return this.#store.read((db, now) => {
			const session = findLiving(db, id, now);
			if (session === undefined) return [];
			return db.all(subscriptionStatements.of, session.key).map(({ uri }) => textOf(uri));
		});
	}

	override readState(id: string, key: string): MaybePromise<StoredStateValue | undefined> {
		return this.#store.read((db, now) => {
			const session = findKept(db, id, now);
			const row = session && db.get(stateStatements.read, session.key, bound(key));
			return row && { version: String(row['version']), value: textOf(row['value']) };
		});
	}

	override listState(id: string): MaybePromise<ReadonlyMap<string, StoredStateValue>> {
		return this.#store.read((db, now) => {
			const session = findKept(db, id, now);
			const values = new Map<string, StoredStateValue>();
			for (const { key, version, value } of session === undefined ? [] : db.all(stateStatements.all, session.key)) {
				values.set(textOf(key), { version: String(version), value: textOf(value) });
			}
			return values;
		});
	}

	override writeState(
		id: string,
		key: string,
		expected: string | undefined,
		value: string | undefined,
	): Promise<boolean> {
		return this.#store.write((transaction) => writeState(transaction, id, key, expected, value));
	}

	override scan(cursor: string | undefined, limit: number): MaybePromise<SessionPage> {
		const count = Math.max(1, limit);
		return this.#store.read((db, now) => {
			const rows = db.all(sessionStatements.after, Number(cursor ?? 0), now, count);
			const records = rows.map(readRecord);
			return rows.length < count ? { records } : { records, cursor: String(rows.at(-1)?.['key']) };
		});
	}

	override async removeExpired(limit: number): Promise<number> {
		await this.#store.write(({ db, now }) => db.run(registryStatements.removeNodes, now));
		let leases: number;
		do {
			leases = await this.#store.write(
				({ db, now }) => db.all(registryStatements.removeLeases, now, FREED_AT_ONCE).length,
			);
		} while (leases === FREED_AT_ONCE);
		for (let freed = 0; ; ) {
			// Each step is a transaction in another turn of the event loop.
			const step = await this.#store.write(({ db, now }) => sweepSessions(db, now, Math.max(1, limit - freed)));
			freed += step.freed;
			if (step.seen === 0 || freed >= limit) return freed;
		}
	}

	override acquireLease(name: string, holder: string, ttlMs: number): Promise<boolean> {
		return this.#store.write(({ db, now }) => {
			const row = db.get(registryStatements.acquire, bound(name), bound(holder), now + ttlMs, now);
			return row !== undefined;
		});
	}

	override releaseLease(name: string, holder: string): Promise<void> {
		return this.#store.write(({ db }) => db.run(registryStatements.release, bound(name), bound(holder)));
	}

	override announceNode(node: NodeRecord, ttlMs: number): Promise<void> {
		return this.#store.write(({ db, now }) => {
			db.run(registryStatements.announce, bound(node.id), bound(JSON.stringify(node)), now + ttlMs);
			db.run(registryStatements.removeNodes, now);
		});
	}

	override nodes(): MaybePromise<NodeRecord[]> {
		return this.#store.read((db, now) =>
			db.all(registryStatements.nodes, now).map(({ record }) => readNode(textOf(record))),
		);
	}

	override close(): Promise<void> {
		return this.#store.release(this.#onerror);
	}

	#create({ db, now }: Transaction, record: SessionRecord, { perPrincipal }: SessionLimits): boolean | 'full' {
		const { id, principal, kind, lastUsedAt } = record;
		if (findKept(db, id, now) !== undefined) return false;
		if (principal !== undefined && perPrincipal !== undefined && livingOf(db, principal, kind, now) >= perPrincipal)
			throw principalLimit(perPrincipal, kind);
		if (this.#maxSessions > 0 && heldOf(db, kind) >= roomFor(record, this.#maxSessions)) return 'full';
		const before = db.get(sessionStatements.read, bound(id));
		if (before !== undefined) removeSession(db, before);
		const here = this.#clock.now();
		const [usedAt, overAt] = [timeOf(lastUsedAt, here, now), timeOf(record.endsAt, here, now)];
		const { ends, gone } = lifeOf(record, usedAt, overAt);
		const { owner, isVerified } = ownerOf(record);
		const whose = [
			principal === undefined ? null : bound(principal),
			boundKind(kind),
			bound(owner),
			isVerified ? 1 : 0,
		];
		const text = bound(recordText(record));
		const counted = kind === undefined ? 1 : 0;
		db.run(sessionStatements.add, bound(id), ...whose, text, lastUsedAt, usedAt, overAt, ends, gone, ends, counted);
		if (kind === undefined) count(db, owner);
		return true;
	}

	#end({ db, now }: Transaction, id: string, at: number, reason: string): boolean {
		const session = findLiving(db, id, now, sessionStatements.read);
		if (session === undefined) return false;
		const { key, row } = session;
		const here = this.#clock.now();
		const endedAt = Math.min(at, here);
		const gone = timeOf(endedAt, here, now) + (readRecord(row).keepEndedMs ?? 0);
		if (gone <= now) removeSession(db, row);
		else {
			discount(db, row);
			const isFree = removeSubscriptions(db, key) < FREED_AT_ONCE;
			db.run(sessionStatements.end, endedAt, bound(reason), gone, isFree ? gone : now, key);
		}
		return true;
	}
}

function livingOf(db: SqliteConnection, principal: string, kind: string | undefined, now: number): number {
	return Number(db.get(sessionStatements.living, bound(principal), boundKind(kind), now)?.['living']);
}

/** Returns how many sessions count, or other records. */
function heldOf(db: SqliteConnection, kind: string | undefined): number {
	if (kind === undefined) return Number(db.get(sessionStatements.counted)?.['sessions']);
	return Number(db.get(sessionStatements.records)?.['records']);
}

function boundKind(kind: string | undefined): SqliteValue {
	return kind === undefined ? null : bound(kind);
}

/** Returns the living session that gives way first: of a principal, of whoever floods the store, or of all. */
function unusedSession({ db, now }: Transaction, principal: string | undefined): string | undefined {
	if (principal !== undefined) {
		const row = db.get(sessionStatements.unusedOfPrincipal, bound(principal), now);
		return row && textOf(row['id']);
	}
	for (;;) {
		const most = db.get(sessionStatements.most);
		const all = Number(db.get(sessionStatements.counted)?.['sessions']);
		const isFlood = most !== undefined && Number(most['sessions']) > Math.max(1, all / 100);
		const row = isFlood ? db.get(sessionStatements.unusedOf, most['owner'] ?? '') : db.get(sessionStatements.unused);
		if (row === undefined) return undefined;
		const found = db.get(sessionStatements.read, row['id'] ?? '');
		if (found === undefined || Number(found['ends']) > now) return textOf(row['id']);
		// It has expired, and is not swept yet.
		discount(db, found);
	}
}

function writeState(
	{ db, now }: Transaction,
	id: string,
	key: string,
	expected: string | undefined,
	value: string | undefined,
): boolean {
	const session = findLiving(db, id, now);
	if (session === undefined) return false;
	const stored = db.get(stateStatements.version, session.key, bound(key));
	if (expected !== '*' && (stored === undefined ? undefined : String(stored['version'])) !== expected) return false;
	const size = value === undefined ? 0 : Buffer.byteLength(key) + Buffer.byteLength(value);
	const bytes = Number(session.row['state_bytes']) + size - Number(stored?.['size'] ?? 0);
	if (value !== undefined && bytes > MAX_STATE_BYTES) {
		throw new SessionManagerError('limit', `The state of a session must have at most ${MAX_STATE_BYTES} bytes.`);
	}
	const version = Number(session.row['versions']) + 1;
	if (value === undefined) db.run(stateStatements.remove, session.key, bound(key));
	else db.run(stateStatements.write, session.key, bound(key), version, size, bound(value));
	db.run(sessionStatements.writeState, bytes, version, session.key);
	return true;
}
