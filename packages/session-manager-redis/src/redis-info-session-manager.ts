import {
	type Clock,
	InfoSessionManager,
	isExpired,
	SessionManagerError,
	type SessionPage,
	type SessionPatch,
	type SessionRecord,
	type StoredStateValue,
	systemClock,
} from '@holdfast/session-manager';
import {
	createScript,
	deleteScript,
	subscribeScript,
	touchScript,
	updateScript,
	writeStateScript,
} from './info-scripts.js';
import { RedisConnection, RedisScript, type RedisSource } from './redis-connection.js';
import { RedisKeys } from './redis-keys.js';
import { readRecord, recordFields, recordPatch } from './redis-record.js';

/** Options of {@link RedisInfoSessionManager}. */
export interface RedisInfoSessionManagerOptions {
	/** What every key begins with (default `holdfast:`). */
	readonly keyPrefix?: string;
	/** Where time comes from (default: the machine). */
	readonly clock?: Clock;
}

const scripts = {
	create: new RedisScript(createScript),
	update: new RedisScript(updateScript),
	touch: new RedisScript(touchScript),
	delete: new RedisScript(deleteScript),
	subscribe: new RedisScript(subscribeScript),
	writeState: new RedisScript(writeStateScript),
};

/** A session that never expires is dropped after so long without a touch: every key expires. */
const LONGEST_LIFE_MS = 90 * 24 * 60 * 60 * 1000;

/**
 * Sessions in Redis 7 or later: standalone, Sentinel or Cluster. The record is one hash, read in one round trip; every key
 * expires with its session.
 */
export class RedisInfoSessionManager extends InfoSessionManager {
	readonly #redis: RedisConnection;
	readonly #keys: RedisKeys;
	readonly #clock: Clock;

	constructor(source: RedisSource, options: RedisInfoSessionManagerOptions = {}) {
		super();
		this.#redis = new RedisConnection(source, (error) => this.onerror?.(error));
		this.#keys = new RedisKeys(options.keyPrefix ?? 'holdfast:');
		this.#clock = options.clock ?? systemClock;
	}

	override async create(record: SessionRecord): Promise<boolean> {
		const now = this.#clock.now();
		const left = await this.#redis.run(scripts.create, [this.#keys.info(record.id)], [now, ...recordFields(record)]);
		if (left === 0) return false;
		await this.#index(record.id, now + Number(left));
		return true;
	}

	override async read(id: string): Promise<SessionRecord | undefined> {
		const fields = await this.#redis.within(this.#redis.client.hgetall(this.#keys.info(id)));
		const record = readRecord(fields);
		return record === undefined || isExpired(record, this.#clock.now()) ? undefined : record;
	}

	override async update(id: string, patch: SessionPatch): Promise<boolean> {
		const { removed, set } = recordPatch(patch);
		const now = this.#clock.now();
		const left = await this.#redis.run(scripts.update, this.#sessionKeys(id), [now, removed.join(' '), ...set]);
		if (left === 0) return false;
		if ('idleTtlMs' in patch || 'endsAt' in patch) await this.#index(id, now + Number(left));
		return true;
	}

	override async touch(id: string, usedAt: number): Promise<boolean> {
		const now = this.#clock.now();
		const [left, ...uris] = (await this.#redis.run(scripts.touch, this.#sessionKeys(id), [now, usedAt])) as [
			number,
			...string[],
		];
		if (left === 0) return false;
		await Promise.all([this.#index(id, now + left), ...uris.map((uri) => this.#indexSubscription(id, uri, left))]);
		return true;
	}

	override async delete(id: string): Promise<boolean> {
		const [there, ...uris] = (await this.#redis.run(scripts.delete, this.#sessionKeys(id), [])) as [
			number,
			...string[],
		];
		const { client } = this.#redis;
		await this.#redis.within(
			Promise.all([
				client.zrem(this.#keys.sessions, id),
				...uris.map((uri) => client.zrem(this.#keys.subscribers(uri), id)),
			]),
		);
		return there === 1;
	}

	override async addSubscription(id: string, uri: string): Promise<boolean> {
		const left = await this.#redis.within(this.#redis.client.pttl(this.#keys.info(id)));
		if (left < 0) return false;
		// The index first: what is in it too much is harmless, what is missing would be a lost update.
		await this.#indexSubscription(id, uri, left);
		const added = await this.#redis.run(scripts.subscribe, [this.#keys.info(id), this.#keys.uris(id)], [uri]);
		if (added === 1) return true;
		await this.#redis.within(this.#redis.client.zrem(this.#keys.subscribers(uri), id));
		return false;
	}

	override async removeSubscription(id: string, uri: string): Promise<boolean> {
		const removed = await this.#redis.within(this.#redis.client.srem(this.#keys.uris(id), uri));
		if (removed > 0) await this.#redis.within(this.#redis.client.zrem(this.#keys.subscribers(uri), id));
		return removed > 0;
	}

	override async getSubscriptions(uri: string): Promise<string[]> {
		return this.#redis.within(
			this.#redis.client.zrangebyscore(this.#keys.subscribers(uri), `(${this.#clock.now()}`, '+inf'),
		);
	}

	override async getSubscribedUris(id: string): Promise<string[]> {
		return this.#redis.within(this.#redis.client.smembers(this.#keys.uris(id)));
	}

	override async readState(id: string, key: string): Promise<StoredStateValue | undefined> {
		const stored = await this.#redis.within(this.#redis.client.hget(this.#keys.state(id), key));
		return stored === null ? undefined : readStateValue(stored);
	}

	override async listState(id: string): Promise<ReadonlyMap<string, StoredStateValue>> {
		const stored = await this.#redis.within(this.#redis.client.hgetall(this.#keys.state(id)));
		return new Map(Object.entries(stored).map(([key, value]) => [key, readStateValue(value)]));
	}

	override async writeState(
		id: string,
		key: string,
		expected: string | undefined,
		value: string | undefined,
	): Promise<boolean> {
		const keys = [this.#keys.info(id), this.#keys.state(id)];
		const args = [key, expected ?? '', value === undefined ? '' : '1', value ?? ''];
		return (await this.#redis.run(scripts.writeState, keys, args)) === 1;
	}

	override async scan(cursor: string | undefined, limit: number): Promise<SessionPage> {
		const { client } = this.#redis;
		const begin = Number(cursor ?? 0);
		const expired = client.zremrangebyscore(this.#keys.sessions, '-inf', this.#clock.now());
		await this.#redis.within(expired);
		const ids = await this.#redis.within(client.zrange(this.#keys.sessions, String(begin), String(begin + limit - 1)));
		const records = (await Promise.all(ids.map((id) => this.read(id)))).filter((record) => record !== undefined);
		return ids.length < limit ? { records } : { records, cursor: String(begin + limit) };
	}

	override async close(): Promise<void> {
		await this.#redis.close();
	}

	#sessionKeys(id: string): string[] {
		return [this.#keys.info(id), this.#keys.uris(id), this.#keys.state(id)];
	}

	/** Enters a session in the index of all, which expires with its last. */
	async #index(id: string, expiresAt: number): Promise<void> {
		const { client } = this.#redis;
		const key = this.#keys.sessions;
		await this.#redis.within(Promise.all([client.zadd(key, expiresAt, id), client.pexpire(key, LONGEST_LIFE_MS)]));
	}

	async #indexSubscription(id: string, uri: string, left: number): Promise<void> {
		const { client } = this.#redis;
		const key = this.#keys.subscribers(uri);
		// A key that has no expiry yet takes the first; later ones only prolong it.
		await this.#redis.within(
			Promise.all([
				client.zadd(key, this.#clock.now() + left, id),
				client.pexpire(key, left, 'NX'),
				client.pexpire(key, left, 'GT'),
			]),
		);
	}
}

function readStateValue(stored: string): StoredStateValue {
	const colon = stored.indexOf(':');
	if (colon <= 0) throw new SessionManagerError('corrupt', 'A stored state value has no version.');
	return { version: stored.slice(0, colon), value: stored.slice(colon + 1) };
}
