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
	indexScript,
	indexSubscriberScript,
	subscribeScript,
	touchScript,
	updateScript,
	writeStateScript,
} from './info-scripts.js';
import type { RedisSource } from './redis-client.js';
import { RedisConnection, RedisScript } from './redis-connection.js';
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
	index: new RedisScript(indexScript),
	indexSubscriber: new RedisScript(indexSubscriberScript),
};

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
		this.#keys = new RedisKeys(this.#redis.keyPrefix + (options.keyPrefix ?? 'holdfast:'));
		this.#clock = options.clock ?? systemClock;
	}

	override async create(record: SessionRecord): Promise<boolean> {
		const now = this.#clock.now();
		const left = await this.#redis.run(scripts.create, this.#keysOf(record.id), [now, ...recordFields(record)]);
		if (left === 0) return false;
		await this.#index(record.id, now + Number(left));
		return true;
	}

	override async read(id: string): Promise<SessionRecord | undefined> {
		const record = readRecord(await this.#redis.command(this.#keys.info(id), (client, key) => client.hgetall(key)));
		return record === undefined || isExpired(record, this.#clock.now()) ? undefined : record;
	}

	override async update(id: string, patch: SessionPatch): Promise<boolean> {
		const { removed, set } = recordPatch(patch);
		const args = [this.#clock.now(), removed.join(' '), ...set];
		if ((await this.#redis.run(scripts.update, this.#keysOf(id), args)) === 0) return false;
		// The indexes know when the session expires.
		if ('idleTtlMs' in patch || 'endsAt' in patch) await this.touch(id, 0);
		return true;
	}

	override async touch(id: string, usedAt: number): Promise<boolean> {
		const now = this.#clock.now();
		const answer = await this.#redis.run(scripts.touch, this.#keysOf(id), [now, usedAt]);
		const [left, uris] = answer as [number, string[]];
		if (left === 0) return false;
		const expiresAt = now + left;
		await Promise.all([this.#index(id, expiresAt), ...uris.map((uri) => this.#indexSubscriber(id, uri, expiresAt))]);
		return true;
	}

	override async delete(id: string): Promise<boolean> {
		const answer = await this.#redis.run(scripts.delete, this.#keysOf(id), [this.#clock.now()]);
		const [there, uris] = answer as [number, string[]];
		const indexes = [this.#keys.sessionsByExpiry, this.#keys.sessionsById];
		for (const uri of uris) indexes.push(this.#keys.subscribers(uri));
		await Promise.all(indexes.map((index) => this.#redis.command(index, (client, key) => client.zrem(key, id))));
		return there === 1;
	}

	override async addSubscription(id: string, uri: string): Promise<boolean> {
		const now = this.#clock.now();
		const left = await this.#redis.command(this.#keys.info(id), (client, key) => client.pttl(key));
		if (left < 0) return false;
		// The index first: what is in it too much is harmless, what is missing would be a lost update.
		await this.#indexSubscriber(id, uri, now + left);
		const keys = [this.#keys.info(id), this.#keys.uris(id)];
		if ((await this.#redis.run(scripts.subscribe, keys, [this.#clock.now(), uri])) === 1) return true;
		await this.#redis.command(this.#keys.subscribers(uri), (client, key) => client.zrem(key, id));
		return false;
	}

	override async removeSubscription(id: string, uri: string): Promise<boolean> {
		const removed = await this.#redis.command(this.#keys.uris(id), (client, key) => client.srem(key, uri));
		if (removed > 0) await this.#redis.command(this.#keys.subscribers(uri), (client, key) => client.zrem(key, id));
		return removed > 0;
	}

	override async getSubscriptions(uri: string): Promise<string[]> {
		const now = this.#clock.now();
		return this.#redis.command(this.#keys.subscribers(uri), (client, key) =>
			client.zrangebyscore(key, `(${now}`, '+inf'),
		);
	}

	override async getSubscribedUris(id: string): Promise<string[]> {
		return this.#redis.command(this.#keys.uris(id), (client, key) => client.smembers(key));
	}

	override async readState(id: string, key: string): Promise<StoredStateValue | undefined> {
		const stored = await this.#redis.command(this.#keys.state(id), (client, state) => client.hget(state, key));
		return stored === null ? undefined : readStateValue(stored);
	}

	override async listState(id: string): Promise<ReadonlyMap<string, StoredStateValue>> {
		const stored = await this.#redis.command(this.#keys.state(id), (client, key) => client.hgetall(key));
		return new Map(Object.entries(stored).map(([key, value]) => [key, readStateValue(value)]));
	}

	override async writeState(
		id: string,
		key: string,
		expected: string | undefined,
		value: string | undefined,
	): Promise<boolean> {
		const keys = [this.#keys.info(id), this.#keys.state(id)];
		const args = [this.#clock.now(), key, expected ?? '', value === undefined ? '' : '1', value ?? ''];
		return (await this.#redis.run(scripts.writeState, keys, args)) === 1;
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

	override close(): void {
		this.#redis.close();
	}

	#keysOf(id: string): string[] {
		return [this.#keys.info(id), this.#keys.uris(id), this.#keys.state(id)];
	}

	async #index(id: string, expiresAt: number): Promise<void> {
		const keys = [this.#keys.sessionsByExpiry, this.#keys.sessionsById];
		await this.#redis.run(scripts.index, keys, [this.#clock.now(), expiresAt, id]);
	}

	async #indexSubscriber(id: string, uri: string, expiresAt: number): Promise<void> {
		await this.#redis.run(scripts.indexSubscriber, [this.#keys.subscribers(uri)], [this.#clock.now(), expiresAt, id]);
	}
}

function readStateValue(stored: string): StoredStateValue {
	const colon = stored.indexOf(':');
	if (colon <= 0) throw new SessionManagerError('corrupt', 'A stored state value has no version.');
	return { version: stored.slice(0, colon), value: stored.slice(colon + 1) };
}
