import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { RedisInfoSessionManager, RedisStreamSessionManager } from '@holdfast/session-manager-redis';
import { open, sse } from '@holdfast/session-manager-test-kit/own-cases';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { TcpProxy } from '../../../test/support/network/tcp-proxy.ts';
import { type RedisTopology, startStandalone } from '../../../test/support/redis/redis-topology.ts';
import { sampleRecord } from '../../session-manager/test/sample-record.ts';

/** What managers send for the verbs; what a script does inside of Redis is no command of theirs, but it publishes. */
const counted = ['evalsha', 'eval', 'ssubscribe', 'sunsubscribe', 'spublish', 'get', 'hgetall'];

describe('a verb costs the store', () => {
	let redis: RedisTopology;
	beforeAll(async () => {
		redis = await startStandalone();
	});
	afterAll(() => redis?.dispose());

	async function countsOf(verb: () => unknown): Promise<Record<string, number>> {
		return Object.fromEntries(Object.entries(await everyCount(verb)).filter(([name]) => counted.includes(name)));
	}

	/** What scripts do inside of Redis counts, too. */
	async function everyCount(verb: () => unknown): Promise<Record<string, number>> {
		const admin = redis.servers[0]?.client() ?? assert.fail();
		await admin.config('RESETSTAT');
		await verb();
		const stats = await admin.info('commandstats');
		const calls = [...stats.matchAll(/cmdstat_(\w+):calls=(\d+)/g)].map(([, name = '', count]) => [
			name,
			Number(count),
		]);
		return Object.fromEntries(calls);
	}

	it('one command, and one publish, however many streams a node holds', async () => {
		await using streams = new RedisStreamSessionManager(redis.connect());
		const clients = await Promise.all(Array.from({ length: 50 }, (_, n) => open(streams, `s${n}`)));
		const broadcast = async (n: number) => {
			await streams.send(undefined, sse(n));
			for (const client of clients) await client.hears(n);
		};
		await broadcast(1);
		expect(await countsOf(() => broadcast(2))).toEqual({ evalsha: 1, spublish: 1 });
		expect(await countsOf(() => streams.send(['s1'], sse(3)))).toEqual({ evalsha: 1, spublish: 1 });
	});

	it('one write to the connection, however many commands one turn sends', async () => {
		await using streams = new RedisStreamSessionManager(redis.connect());
		await streams.send(['s'], sse(1));
		const port = redis.servers[0]?.port;
		const writes = [vi.spyOn(Socket.prototype, '_write'), vi.spyOn(Socket.prototype as Required<Socket>, '_writev')];
		await Promise.all(Array.from({ length: 50 }, (_, n) => streams.send(['s'], sse(n))));
		const sockets = writes.flatMap(({ mock }) => mock.contexts as Socket[]);
		for (const spy of writes) spy.mockRestore();
		expect(sockets.filter((socket) => socket.remotePort === port)).toHaveLength(1);
	});

	it('one command to take a stream, and one to hear it', async () => {
		await using streams = new RedisStreamSessionManager(redis.connect());
		await open(streams, 'first');
		expect(await countsOf(() => open(streams, 'second'))).toEqual({ evalsha: 1, ssubscribe: 1 });
		// Whoever held it before is told.
		expect(await countsOf(() => open(streams, 'second'))).toEqual({ evalsha: 1, spublish: 1 });
	});

	it('one command to hear all streams that are opened at the same time', async () => {
		await using streams = new RedisStreamSessionManager(redis.connect());
		await open(streams, 'lone');
		const ids = Array.from({ length: 50 }, (_, n) => `many${n}`);
		const { evalsha, ssubscribe } = await countsOf(() => Promise.all(ids.map((id) => open(streams, id))));
		expect({ evalsha, ssubscribe }).toEqual({ evalsha: 50, ssubscribe: 1 });
	});

	it('one command to hear all streams that are opened until the server replies to the one before', async () => {
		await using proxy = await TcpProxy.to(redis.servers[0]?.port ?? 0);
		await using streams = new RedisStreamSessionManager({ host: '127.0.0.1', port: proxy.port });
		await open(streams, 'before');
		const { ssubscribe } = await countsOf(async () => {
			proxy.stall();
			const opened = [];
			for (let n = 0; n < 30; n++) {
				opened.push(open(streams, `turn${n}`));
				await setImmediate();
			}
			proxy.flow();
			await Promise.all(opened);
		});
		expect(ssubscribe).toBe(2);
	});

	it('a few commands inside of Redis to take a stream and to append to it', async () => {
		await using streams = new RedisStreamSessionManager(redis.connect());
		for (const id of ['s0', 's1']) await open(streams, id);
		await streams.send(['s0', 's1'], sse(0));
		const commands = async (verb: () => unknown) => {
			const { evalsha, info, ping, config, ...inside } = await everyCount(verb);
			return Object.values(inside).reduce((sum, count) => sum + count, 0);
		};
		expect(await commands(() => open(streams, 's2'))).toBeLessThanOrEqual(14);
		expect(await commands(() => open(streams, 's0'))).toBeLessThanOrEqual(14);
		expect(await commands(() => streams.send(['s1'], sse(1)))).toBeLessThanOrEqual(8);
	});

	it('two commands to let a session live longer: its record, and the index', async () => {
		await using info = new RedisInfoSessionManager(redis.connect());
		for (const id of ['known', 'longer']) await info.create(sampleRecord(id, { lastUsedAt: Date.now() }));
		await info.update('known', { idleTtlMs: 1_000 });
		expect(await countsOf(() => info.update('longer', { idleTtlMs: 60_000 }))).toEqual({ evalsha: 2 });
		expect(await countsOf(() => info.update('longer', { status: 'suspended' }))).toEqual({ evalsha: 1 });
	});

	it('one command to put all that live longer into the index', async () => {
		await using info = new RedisInfoSessionManager(redis.connect());
		const ids = Array.from({ length: 120 }, (_, n) => `used${n}`);
		await Promise.all(ids.map((id) => info.create(sampleRecord(id, { lastUsedAt: Date.now() }))));
		const touch = () => Promise.all(ids.map((id) => info.touch(id, Date.now())));
		await touch();
		const { evalsha = 0 } = await countsOf(touch);
		// Replies may come in several turns, and one step takes fifty.
		expect(evalsha).toBeGreaterThan(ids.length);
		expect(evalsha).toBeLessThan(ids.length + 20);
	});

	it('none that puts a session back into the index which has just ended', async () => {
		const keyPrefix = 'ending:';
		await using info = new RedisInfoSessionManager(redis.connect(), { keyPrefix, maxSessions: 1 });
		for (const n of [1, 2, 3]) {
			expect(await info.create(sampleRecord(`s${n}`, { lastUsedAt: Date.now() }))).toBe(true);
			await Promise.all([info.touch(`s${n}`, Date.now()), info.end(`s${n}`, Date.now(), 'over')]);
		}
	});

	it('a few commands for each verb of a session, however many sessions there are', async () => {
		await using info = new RedisInfoSessionManager(redis.connect());
		const verbs = {
			create: (id: string) => info.create(sampleRecord(id)),
			read: (id: string) => info.read(id),
			touch: (id: string) => info.touch(id, 1),
			addSubscription: (id: string) => info.addSubscription(id, 'file:///a'),
			getSubscriptions: () => info.getSubscriptions('file:///a'),
			removeSubscription: (id: string) => info.removeSubscription(id, 'file:///a'),
			delete: (id: string) => info.delete(id),
		};
		for (let n = 0; n < 50; n++) await info.create(sampleRecord(`other${n}`));
		for (const verb of Object.values(verbs)) await verb('first');
		// Indexes are on other servers of a cluster: they take commands of their own.
		const { evalsha = 0, hgetall } = await countsOf(async () => {
			for (const verb of Object.values(verbs)) await verb('second');
		});
		expect(evalsha).toBeLessThanOrEqual(13);
		expect(hgetall).toBe(1);
	});
});
