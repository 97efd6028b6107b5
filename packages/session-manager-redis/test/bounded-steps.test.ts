import assert from 'node:assert/strict';
import { RedisInfoSessionManager } from '@holdfast/session-manager-redis';
import { numbers, sampleRecord } from '@holdfast/session-manager-test-kit/own-cases';
import type { Redis, RedisOptions } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest';
import { type RedisTopology, startStandalone } from '../../../test/support/redis/redis-topology.ts';

const EXPIRED = 1;
const LIVES = Date.now() + 3_600_000;

describe('one step on Redis does bounded work', () => {
	let redis: RedisTopology;
	beforeAll(async () => {
		redis = await startStandalone();
	});
	afterEach(() => redis.flush());
	afterAll(() => redis?.dispose());
	const admin = () => redis.servers[0]?.client() ?? assert.fail();

	const keyOf = async (part: string, end: string) =>
		(await redis.keys()).find((key) => key.includes(part) && key.endsWith(end)) ?? assert.fail();

	/** Adds members `NAME0`, `NAME1` … to a sorted set. */
	async function fill(key: string, name: string, count: number, score: number): Promise<void> {
		for (let from = 0; from < count; from += 1_000) {
			const members = numbers(from, Math.min(count, from + 1_000) - 1);
			await admin().zadd(key, ...members.flatMap((n) => [score, name + n]));
		}
	}

	it('a session that comes removes some that have expired of its principal, and the limit counts those that live', async () => {
		await using info = new RedisInfoSessionManager(redis.connect());
		const create = (id: string, ageMs = 0) =>
			info.create(sampleRecord(id, { principal: 'alice', lastUsedAt: Date.now() - ageMs }), { perPrincipal: 2 });
		assert.equal(await create('first', 60_000), true);
		const [living, kept, unused] = await Promise.all(['living', 'kept', 'unused'].map((each) => keyOf('{p:', each)));
		const sizes = () => Promise.all([living, kept, unused].map((key = '') => admin().zcard(key)));
		for (const key of [living, kept, unused]) await fill(key ?? '', 'gone', 1_500, EXPIRED);
		assert.equal(await create('second'), true);
		// It is counted twice: while it is created, and then.
		assert.deepEqual(await sizes(), [1_302, 1_302, 1_302]);
		await assert.rejects(async () => create('third'), { code: 'principal-limit' });
		assert.deepEqual((await info.sessionsOf('alice')).sort(), ['first', 'second']);
		assert.equal(await info.endUnused(Date.now(), 'room', 'alice'), 'first');
		assert.equal(await create('third'), true);
		for (let n = 0; n < 15; n++) await info.touch('third', Date.now());
		assert.deepEqual(await sizes(), [2, 2, 2]);
	});

	it('a subscription removes some of its resource that have expired', async () => {
		await using info = new RedisInfoSessionManager(redis.connect());
		for (const id of ['first', 'second']) await info.create(sampleRecord(id));
		await info.addSubscription('first', 'x:1');
		const subscribers = await keyOf('{u:', 'subscribers');
		await fill(subscribers, 'gone', 1_000, EXPIRED);
		await info.addSubscription('second', 'x:1');
		assert.equal(await admin().zcard(subscribers), 902);
		assert.deepEqual((await info.getSubscriptions('x:1')).sort(), ['first', 'second']);
		for (let n = 0; n < 9; n++) await info.touch('first', n);
		assert.equal(await admin().zcard(subscribers), 2);
	});

	it('subscribers are read about 4,000 at a time, each once, also those that move meanwhile', async () => {
		await using maker = new RedisInfoSessionManager(redis.connect());
		await maker.create(sampleRecord('first'));
		await maker.addSubscription('first', 'x:1');
		const subscribers = await keyOf('{u:', 'subscribers');
		await fill(subscribers, 'other', 20_000, LIVES);
		await fill(subscribers, 'gone', 4_000, EXPIRED);
		const steps: number[] = [];
		const client = heard(redis.connect() as Redis, async (reply) => {
			const [, members] = reply as [string, string[]];
			steps.push(members.length);
			await fill(subscribers, 'other', 1_000, LIVES + steps.length);
		});
		await using info = new RedisInfoSessionManager(client);
		const found = await info.getSubscriptions('x:1');
		assert.deepEqual(found.sort(), ['first', ...numbers(0, 19_999).map((n) => `other${n}`)].sort());
		assert.ok(steps.length >= 5, `${steps.length} steps`);
		for (const members of steps) assert.ok(members <= 4_200, `${members} in one step`);
	});

	it('a scan that another server goes on with begins anew', async () => {
		await using maker = new RedisInfoSessionManager(redis.connect());
		await maker.create(sampleRecord('first'));
		await maker.addSubscription('first', 'x:1');
		await fill(await keyOf('{u:', 'subscribers'), 'other', 9_000, LIVES);
		let replies = 0;
		const client = heard(redis.connect() as Redis, async (reply) => {
			const page = reply as [string, string[]];
			// As if another server had given it, which has been through everything.
			if (++replies === 1) [page[0], page[1]] = [`${2 ** 32} ${'0'.repeat(40)}`, []];
		});
		await using info = new RedisInfoSessionManager(client);
		assert.equal((await info.getSubscriptions('x:1')).length, 9_001);
	});

	it('a session is touched without reading the resources that it is subscribed to', async () => {
		await using info = new RedisInfoSessionManager(redis.connect());
		await info.create(sampleRecord('s'));
		const uris = numbers(1, 100).map((n) => `x:${n}:${'long'.repeat(2_000)}`);
		for (const uri of uris) await info.addSubscription('s', uri);
		const sent = async () => Number(/total_net_output_bytes:(\d+)/.exec(await admin().info('stats'))?.[1]);
		const before = await sent();
		await info.touch('s', 1);
		assert.equal(await info.addSubscription('s', uris[0] ?? ''), true);
		const bytes = (await sent()) - before;
		assert.ok(bytes < 50_000, `${bytes} bytes`);
		assert.deepEqual((await info.getSubscribedUris('s')).sort(), uris.sort());
	});

	it('what a session leaves is freed in the background', async () => {
		await using info = new RedisInfoSessionManager(redis.connect());
		const keepEndedMs = 60_000;
		for (const [id, terms] of Object.entries({ deleted: {}, ended: {}, kept: { keepEndedMs } })) {
			await info.create(sampleRecord(id, terms));
			await info.addSubscription(id, 'x:1');
			await info.writeState(id, 'key', undefined, 's1');
		}
		const before = await redis.calls('del');
		await info.delete('deleted');
		for (const id of ['ended', 'kept']) await info.end(id, Date.now(), 'over');
		assert.equal(await info.create(sampleRecord('ended')), true);
		assert.equal((await redis.calls('del')) - before, 0);
		assert.deepEqual(await info.getSubscriptions('x:1'), []);
	});
});

/** A client whose connections tell of each reply to a script before anybody else hears of it. */
function heard(client: Redis, hear: (reply: unknown) => Promise<void>): Redis {
	return new Proxy(client, {
		get(target, name) {
			if (name === 'duplicate') return (options: RedisOptions) => heard(target.duplicate(options), hear);
			if (name !== 'eval' && name !== 'evalsha') return Reflect.get(target, name);
			return async (...args: [string, number, ...string[]]) => {
				const reply: unknown = await target[name](...args);
				await hear(reply);
				return reply;
			};
		},
	});
}
