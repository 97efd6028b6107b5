import {
	type Clock,
	type EndedSession,
	encodableText,
	InfoSessionManager,
	MAX_STATE_BYTES,
	type NodeRecord,
	originalText,
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
import { RedisConnection, RedisScript } from './connection.js';
import { digest, ownerOf, RedisKeys } from './keys.js';
import { redisOptions } from './options.js';
import { fieldsOf, readEndedRecord, readNode, readRecord, recordFields } from './record.js';
import {
	acquireLeaseScript,
	createScript,
	deleteScript,
	endScript,
	giveWayOwnedScript,
	giveWayScript,
	indexedScript,
	indexOwnedScript,
	indexScript,
	indexUntilScript,
	leftScript,
	listStateScript,
	nodesScript,
	readScript,
	readStateScript,
	releaseLeaseScript,
	subscribedScript,
	subscribeScript,
	touchScript,
	unindexScript,
	unsubscribeScript,
	updateScript,
	writeStateScript,
} from './scripts/info.js';
import type { RedisSource } from './source.js';
import { TurnBatch } from './turn-batch.js';

/** Options of {@link RedisInfoSessionManager}. */
export interface RedisInfoSessionManagerOptions {
	/**
	 * The prefix of every key.
	 *
	 * @default `holdfast:`
	 */
	readonly keyPrefix?: string;
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

/** How long a session counts against the limits while it is being created, in milliseconds. */
const CREATING_MS = 10_000;
/** How many sessions of a full index are looked at, those unused longest, before a new one is refused. */
const CHECKED_AT_ONCE = 10;
/** How often that is done for all sessions, at most, in milliseconds: a client that fills the store asks often. */
const SEEK_MS = 1_000;

/**
 * What a touch tells of a session: the milliseconds until it ends and until it is removed, its last use, principal,
 * remote address, kind and the digests of its resources.
 */
type Touched = [number, number, string, string | null, string | null, string | null, string[]];

/** Whose a session is, and whether it is one. */
type Owned = Pick<SessionRecord, 'principal' | 'remoteAddress' | 'kind'>;

const scripts = {
	create: new RedisScript(createScript),
	update: new RedisScript(updateScript),
	touch: new RedisScript(touchScript),
	delete: new RedisScript(deleteScript),
	left: new RedisScript(leftScript),
	read: new RedisScript(readScript),
	subscribe: new RedisScript(subscribeScript),
	unsubscribe: new RedisScript(unsubscribeScript),
	subscribed: new RedisScript(subscribedScript),
	readState: new RedisScript(readStateScript),
	listState: new RedisScript(listStateScript),
	writeState: new RedisScript(writeStateScript),
	end: new RedisScript(endScript),
	index: new RedisScript(indexScript),
	indexOwned: new RedisScript(indexOwnedScript),
	unindex: new RedisScript(unindexScript),
	giveWay: new RedisScript(giveWayScript),
	giveWayOwned: new RedisScript(giveWayOwnedScript),
	indexUntil: new RedisScript(indexUntilScript),
	indexed: new RedisScript(indexedScript),
	acquireLease: new RedisScript(acquireLeaseScript),
	releaseLease: new RedisScript(releaseLeaseScript),
	nodes: new RedisScript(nodesScript),
};

/**
 * Stores sessions in Redis 7 or later: standalone, Sentinel or Cluster. A record is one hash, read in one round trip;
 * every key expires with its session. The connection opens on first use.
 *
 * @example
 * ```ts source="../test/examples/redis-info-session-manager.examples.ts#options"
 * const redis = new Redis('redis://localhost:6379');
 * const info = new RedisInfoSessionManager(redis, { keyPrefix: 'shop:', maxSessions: 100_000 });
 * info.onerror = report;
 * ```
 */
export class RedisInfoSessionManager extends InfoSessionManager {
	readonly #redis: RedisConnection;
	readonly #keys: RedisKeys;
	readonly #clock: Clock;
	readonly #maxSessions: number;
	/** When ended sessions were last looked for among all, on the monotonic clock. */
	#soughtAt = Number.NEGATIVE_INFINITY;
	/** What goes into the index of all sessions, and into that of all other records. */
	readonly #sessionsToIndex = this.#indexing();
	readonly #recordsToIndex = this.#indexing('record');

	/** A client given as `source` remains the caller's and is never closed. */
	constructor(source: RedisSource, options: RedisInfoSessionManagerOptions = {}) {
		super();
		checkOptions(
			'RedisInfoSessionManager',
			redisOptions satisfies OptionSchemas<RedisInfoSessionManagerOptions>,
			options,
		);
		this.#redis = new RedisConnection('RedisInfoSessionManager', source, (error) => this.onerror?.(error));
		this.#keys = new RedisKeys(this.#redis.keyPrefix + (options.keyPrefix ?? 'holdfast:'));
		this.#redis.requirePermissions(this.#keys.permissions);
		this.#clock = options.clock ?? systemClock;
		this.#maxSessions = options.maxSessions ?? 100_000;
	}

	override async create(record: SessionRecord, { perPrincipal }: SessionLimits = {}): Promise<boolean> {
		const { id, kind } = record;
		const room = roomFor(record, this.#maxSessions);
		const args = [this.#clock.now(), ...recordFields(record)];
		const reply = await this.#redis.run(scripts.create, this.#keysOf(id), args);
		const [left, kept, usedAt] = reply as [number, number, string];
		if (left === 0) return false;
		// The session is created before it is counted, but nobody knows its id yet: if it exceeds a limit, it is removed
		// again. It counts for a moment only until it is complete: one that never is must not take anybody's place.
		const brief = Math.min(left, CREATING_MS);
		const [counted, owned] = await Promise.all([
			this.#hasRoom(this.#keys.unusedOfAll(kind), { kind }, () => this.#indexWithin(room, id, record, brief, usedAt)),
			this.#hasRoomOwned(record, () => this.#indexOwned(id, record, brief, brief, usedAt, perPrincipal)),
		]);
		if (counted && owned) {
			await Promise.all([this.#index(id, record, left, usedAt), this.#indexOwned(id, record, left, kept, usedAt)]);
			return true;
		}
		await this.delete(id);
		throw perPrincipal !== undefined && !owned ? principalLimit(perPrincipal, kind) : storeLimit(room, kind);
	}

	override async read(id: string): Promise<SessionRecord | undefined> {
		const { left, fields } = await this.#read(id);
		const record = readRecord(fields);
		return left === 0 ? undefined : record;
	}

	override async readEnded(id: string): Promise<EndedSession | undefined> {
		const { left, kept, fields } = await this.#read(id);
		return left === 0 && kept > 0 ? readEndedRecord(fields) : undefined;
	}

	override async update(id: string, patch: SessionPatch, from?: SessionStatus): Promise<boolean> {
		const { removed, set } = fieldsOf(patch);
		const args = [this.#clock.now(), from ?? '', removed.join(' '), ...set];
		const reply = (await this.#redis.run(scripts.update, this.#keysOf(id), args)) as Touched | 0 | 1;
		if (reply === 0) return false;
		// The indexes know when a session ends.
		if (reply !== 1) await this.#indexTouched(id, reply);
		return true;
	}

	override async touch(id: string, usedAt: number): Promise<boolean> {
		const reply = (await this.#redis.run(scripts.touch, this.#keysOf(id), [this.#clock.now(), usedAt])) as Touched;
		if (reply[0] === 0) return false;
		await this.#indexTouched(id, reply);
		return true;
	}

	override async delete(id: string): Promise<boolean> {
		const reply = await this.#redis.run(scripts.delete, this.#keysOf(id), []);
		const [there, principal, kind, resources] = reply as [number, string | null, string | null, string[]];
		await this.#unindex(id, ownedBy(principal, kind), resources, 0);
		return there === 1;
	}

	override async end(id: string, at: number, reason: string): Promise<boolean> {
		const reply = await this.#redis.run(scripts.end, this.#keysOf(id), [this.#clock.now(), at, encodableText(reason)]);
		const [there, principal, kind, resources, kept] = reply as [number, string | null, string | null, string[], number];
		await this.#unindex(id, ownedBy(principal, kind), resources, kept);
		return there === 1;
	}

	override async endUnused(at: number, reason: string, principal?: string): Promise<string | undefined> {
		for (;;) {
			const id = (await (principal === undefined
				? this.#redis.run(scripts.giveWay, this.#keys.index(), [])
				: this.#redis.run(scripts.giveWayOwned, [this.#keys.living(principal), this.#keys.unused(principal)], []))) as
				| string
				| null;
			if (id === null) return undefined;
			if (await this.end(id, at, reason)) return id;
		}
	}

	override async sessionsOf(principal: string, kind?: string): Promise<string[]> {
		return this.#indexed(this.#keys.kept(principal, kind));
	}

	override async addSubscription(id: string, uri: string): Promise<boolean> {
		const [left] = await this.#lifeOf(id);
		if (left === 0) return false;
		const resource = digest(uri);
		// The index is written first: an extra entry is harmless, a missing one would lose a notification.
		await this.#indexUntil(this.#keys.subscribers(resource), id, left);
		const keys = [this.#keys.info(id), this.#keys.subscriptions(id)];
		if ((await this.#redis.run(scripts.subscribe, keys, [resource, encodableText(uri)])) === 1) return true;
		await this.#redis.command(this.#keys.subscribers(resource), (client, key) => client.zrem(key, id));
		return false;
	}

	override async removeSubscription(id: string, uri: string): Promise<boolean> {
		const resource = digest(uri);
		const keys = [this.#keys.info(id), this.#keys.subscriptions(id)];
		const removed = await this.#redis.run(scripts.unsubscribe, keys, [resource]);
		// Also where there is none: an earlier call may have come only so far.
		await this.#redis.command(this.#keys.subscribers(resource), (client, key) => client.zrem(key, id));
		return removed !== 0;
	}

	override async getSubscriptions(uri: string): Promise<string[]> {
		return this.#indexed(this.#keys.subscribers(digest(uri)));
	}

	override async getSubscribedUris(id: string): Promise<string[]> {
		const keys = [this.#keys.info(id), this.#keys.subscriptions(id)];
		return ((await this.#redis.run(scripts.subscribed, keys, [])) as string[]).map(originalText);
	}

	override async readState(id: string, key: string): Promise<StoredStateValue | undefined> {
		const keys = [this.#keys.info(id), this.#keys.state(id)];
		const stored = (await this.#redis.run(scripts.readState, keys, [encodableText(key)])) as string | null;
		return stored === null ? undefined : readStateValue(stored);
	}

	override async listState(id: string): Promise<ReadonlyMap<string, StoredStateValue>> {
		const keys = [this.#keys.info(id), this.#keys.state(id)];
		const stored = (await this.#redis.run(scripts.listState, keys, [])) as string[];
		const values = new Map<string, StoredStateValue>();
		for (let index = 0; index < stored.length; index += 2) {
			values.set(originalText(stored[index] ?? ''), readStateValue(stored[index + 1] ?? ''));
		}
		return values;
	}

	override async writeState(
		id: string,
		key: string,
		expected: string | undefined,
		value: string | undefined,
	): Promise<boolean> {
		const keys = [this.#keys.info(id), this.#keys.state(id)];
		const args = [encodableText(key), expected ?? '', value === undefined ? '' : '1', value ?? '', MAX_STATE_BYTES];
		const reply = await this.#redis.run(scripts.writeState, keys, args);
		if (reply !== 2) return reply === 1;
		throw new SessionManagerError('limit', `The state of a session must have at most ${MAX_STATE_BYTES} bytes.`);
	}

	override async scan(cursor: string | undefined, limit: number): Promise<SessionPage> {
		const count = Math.max(1, limit);
		const from = cursor === undefined ? '-' : `(${cursor}`;
		const ids = await this.#redis.command(this.#keys.sessionsById, (client, key) =>
			client.zrange(key, from, '+', 'BYLEX', 'LIMIT', 0, count),
		);
		const records = (await Promise.all(ids.map((id) => this.read(id)))).filter((record) => record !== undefined);
		return ids.length < count ? { records } : { records, cursor: ids.at(-1) };
	}

	override async acquireLease(name: string, holder: string, ttlMs: number): Promise<boolean> {
		return (await this.#redis.run(scripts.acquireLease, [this.#keys.lease(name)], [holder, Math.ceil(ttlMs)])) === 1;
	}

	override async releaseLease(name: string, holder: string): Promise<void> {
		await this.#redis.run(scripts.releaseLease, [this.#keys.lease(name)], [holder]);
	}

	override async announceNode(node: NodeRecord, ttlMs: number): Promise<void> {
		await this.#redis.run(scripts.nodes, this.#nodeKeys, [node.id, JSON.stringify(node), Math.ceil(ttlMs)]);
	}

	override async nodes(): Promise<NodeRecord[]> {
		return ((await this.#redis.run(scripts.nodes, this.#nodeKeys, [])) as string[]).map(readNode);
	}

	override close(): void {
		this.#redis.close();
	}

	get #nodeKeys(): string[] {
		return [this.#keys.nodesByExpiry, this.#keys.nodes];
	}

	#keysOf(id: string): string[] {
		return [this.#keys.info(id), this.#keys.subscriptions(id), this.#keys.state(id)];
	}

	async #read(id: string): Promise<{ left: number; kept: number; fields: Record<string, string> }> {
		const reply = await this.#redis.run(scripts.read, [this.#keys.info(id)], []);
		const [left, kept, text] = reply as [number, number, string];
		const parsed: unknown = JSON.parse(text);
		// An empty list comes as an empty object.
		const flat: readonly string[] = Array.isArray(parsed) ? parsed : [];
		const fields: Record<string, string> = {};
		for (let index = 0; index < flat.length; index += 2) fields[flat[index] ?? ''] = flat[index + 1] ?? '';
		return { left, kept, fields };
	}

	/** Returns what has not expired of an index by expiry. */
	async #indexed(index: string): Promise<string[]> {
		const ids = new Set<string>();
		let cursor = '0';
		do {
			const page = await this.#redis.run(scripts.indexed, [index], [cursor]);
			const [next, members] = page as [string, string[]];
			for (const id of members) ids.add(id);
			cursor = next;
		} while (cursor !== '0');
		return [...ids];
	}

	/** Returns the milliseconds until a session ends, and until it is removed. */
	async #lifeOf(id: string): Promise<[number, number]> {
		return (await this.#redis.run(scripts.left, [this.#keys.info(id)], [])) as [number, number];
	}

	/** Tells the indexes when a session ends now. */
	async #indexTouched(id: string, touched: Touched): Promise<void> {
		const [left, kept, lastUse, principal, remoteAddress, kind, resources] = touched;
		const owned = ownedBy(principal, kind, remoteAddress);
		if (left === 0) return this.#unindex(id, owned, resources, kept);
		const added = await Promise.all([
			this.#index(id, owned, left, lastUse),
			this.#indexOwned(id, owned, left, kept, lastUse),
			...resources.map((resource) => this.#indexUntil(this.#keys.subscribers(resource), id, left)),
		]);
		if (!added.includes(1)) return;
		// Another node may have ended it, and taken it out of the indexes, since it was touched.
		const [leftNow, keptNow] = await this.#lifeOf(id);
		if (leftNow === 0) await this.#unindex(id, owned, resources, keptNow);
	}

	/** Returns how many were added: 0 where it was there. */
	async #index(id: string, { principal, remoteAddress, kind }: Owned, left: number, usedAt: string): Promise<number> {
		const added = await this.#toIndex(kind).add([left, id, usedAt, ownerOf(principal, remoteAddress)]);
		return added.includes(id) ? 1 : 0;
	}

	#toIndex(kind: string | undefined): TurnBatch<readonly (string | number)[], string[]> {
		return kind === undefined ? this.#sessionsToIndex : this.#recordsToIndex;
	}

	#indexing(kind?: string): TurnBatch<readonly (string | number)[], string[]> {
		return new TurnBatch(
			async (items) =>
				(await this.#redis.run(scripts.index, this.#keys.index(kind), ['', ...items.flat()])) as string[],
		);
	}

	#hasRoomOwned({ principal, kind }: Owned, count: () => Promise<number | null>): Promise<boolean> {
		const unused = principal === undefined ? '' : this.#keys.unused(principal, kind);
		return this.#hasRoom(unused, { principal, kind }, count);
	}

	/**
	 * Returns whether `count` finds room. Where it does not, sessions leave the indexes that have ended and are still in
	 * `unused`: the reply to their end was lost.
	 */
	async #hasRoom(unused: string, owned: Owned, count: () => Promise<unknown>): Promise<boolean> {
		for (let isFirst = true; (await count()) === null; isFirst = false) {
			if (isFirst && owned.principal === undefined && !this.#maySeek()) return false;
			const ids = await this.#redis.command(unused, (client, key) => client.zrange(key, 0, `${CHECKED_AT_ONCE - 1}`));
			const gone = await Promise.all(
				ids.map(async (id) => {
					const [left, kept] = await this.#lifeOf(id);
					if (left === 0) await this.#unindex(id, owned, [], kept);
					return left === 0;
				}),
			);
			if (!gone.includes(true)) return false;
		}
		return true;
	}

	#maySeek(): boolean {
		const now = this.#clock.monotonic();
		if (now - this.#soughtAt < SEEK_MS) return false;
		this.#soughtAt = now;
		return true;
	}

	/** Returns null when there are already `most` sessions, or records that are none. */
	#indexWithin(
		most: number,
		id: string,
		{ principal, remoteAddress, kind }: Owned,
		left: number,
		usedAt: string,
	): Promise<unknown> {
		const args = [most || '', left, id, usedAt, ownerOf(principal, remoteAddress)];
		return this.#redis.run(scripts.index, this.#keys.index(kind), args);
	}

	/**
	 * Returns how many were added, 0 where it was there or has no principal; null when the principal already has `most`
	 * that live of the same kind.
	 */
	async #indexOwned(
		id: string,
		{ principal, kind }: Owned,
		left: number,
		kept: number,
		usedAt: string,
		most?: number,
	): Promise<number | null> {
		if (principal === undefined) return 0;
		const names = ['living', 'kept', 'unused'] as const;
		const keys = names.map((name) => this.#keys[name](principal, kind));
		return (await this.#redis.run(scripts.indexOwned, keys, [left, kept, id, usedAt, most ?? ''])) as number | null;
	}

	/** Removes an ended session from the indexes; while it is `kept`, its principal's index retains it. */
	async #unindex(id: string, { principal, kind }: Owned, resources: readonly string[], kept: number): Promise<void> {
		const indexes = resources.map((resource) => this.#keys.subscribers(resource));
		if (principal !== undefined) {
			indexes.push(this.#keys.living(principal, kind), this.#keys.unused(principal, kind));
			if (kept === 0) indexes.push(this.#keys.kept(principal, kind));
		}
		// What was asked for before must not put it back.
		this.#toIndex(kind).begin();
		await Promise.all([
			this.#redis.run(scripts.unindex, this.#keys.index(kind), [id]),
			...indexes.map((index) => this.#redis.command(index, (client, key) => client.zrem(key, id))),
			principal !== undefined && kept > 0 && this.#indexUntil(this.#keys.kept(principal, kind), id, kept, 'XX'),
		]);
	}

	async #indexUntil(index: string, id: string, left: number, ...only: 'XX'[]): Promise<number> {
		return (await this.#redis.run(scripts.indexUntil, [index], [left, id, ...only])) as number;
	}
}

function ownedBy(principal: string | null, kind: string | null, remoteAddress: string | null = null): Owned {
	return {
		principal: given(principal),
		remoteAddress: given(remoteAddress),
		kind: given(kind),
	};
}

function given(stored: string | null): string | undefined {
	return stored === null ? undefined : originalText(stored);
}

function readStateValue(stored: string): StoredStateValue {
	const colon = stored.indexOf(':');
	if (colon <= 0) throw new SessionManagerError('corrupt', 'A stored state value has no version.');
	return { version: stored.slice(0, colon), value: stored.slice(colon + 1) };
}
