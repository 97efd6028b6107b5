import assert from 'node:assert/strict';
import type { SessionManagerError } from '@holdfast/session-manager';
import { RedisInfoSessionManager } from '@holdfast/session-manager-redis';
import { pages, sampleRecord, until } from '@holdfast/session-manager-test-kit/own-cases';
import type { Redis, RedisOptions } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest';
import { type RedisTopology, startStandalone } from '../../../test/support/redis/redis-topology.ts';

describe('a full store', () => {
	let redis: RedisTopology;
	beforeAll(async () => {
		redis = await startStandalone();
	});
	afterEach(() => redis.flush());
	afterAll(() => redis?.dispose());

	it('refuses what is too many of all nodes together, keeps nothing of it, and has room when sessions go', async () => {
		const options = { maxSessions: 5 };
		await using a = new RedisInfoSessionManager(redis.connect(), options);
		await using b = new RedisInfoSessionManager(redis.connect(), options);
		const create = async (id: string, given: object = {}): Promise<unknown> => {
			try {
				return await (id.length % 2 === 0 ? a : b).create(sampleRecord(id, { principal: 'alice', ...given }));
			} catch (error) {
				return (error as SessionManagerError).code;
			}
		};
		const results = await Promise.all(Array.from({ length: 20 }, (_, n) => create(`s${n}`)));
		assert.equal(results.filter((result) => result === true).length, 5);
		assert.equal(results.filter((result) => result === 'limit').length, 15);
		const living = (await pages(a, 100)).flat();
		assert.equal(living.length, 5);
		assert.deepEqual((await a.sessionsOf('alice')).sort(), living.sort());
		await b.delete(living[0] ?? '');
		assert.equal(await create('brief', { lastUsedAt: Date.now(), idleTtlMs: 1_000 }), true);
		assert.equal(await create('one too many'), 'limit');
		await until('it has expired', async () => (await create('after that')) === true);
	});

	it('does not count a session that was created half-way: the index of sessions, or of a principal, failed', async () => {
		await Promise.all(['sessions', 'p:'].map((index) => expectNoneCountsHalfWay(index)));
	});

	async function expectNoneCountsHalfWay(index: string): Promise<void> {
		const keyPrefix = `${index.replace(/\W/, '')}-fails:`;
		await using broken = new RedisInfoSessionManager(failingAt(redis.connect() as Redis, `{${index}`), { keyPrefix });
		await using info = new RedisInfoSessionManager(redis.connect(), { keyPrefix, maxSessions: 1 });
		const create = (id: string) => info.create(sampleRecord(id, { principal: 'alice' }), { perPrincipal: 1 });
		for (let n = 0; n < 3; n++)
			await assert.rejects(async () =>
				broken.create(sampleRecord(`s${n}`, { principal: 'alice' }), { perPrincipal: 1 }),
			);
		// The server's clock measures for how long they count.
		await until(`they count no more: ${index}`, () => create('s').catch(() => false), 20_000);
		assert.deepEqual((await pages(info, 10)).flat(), ['s']);
		await assert.rejects(async () => create('t'), { code: 'principal-limit' });
	}

	it('has no bound where it is 0', async () => {
		await using info = new RedisInfoSessionManager(redis.connect(), { maxSessions: 0 });
		assert.equal(await info.create(sampleRecord('s')), true);
	});
});

/** A client whose connections fail every script on keys that contain `part`. */
function failingAt(client: Redis, part: string): Redis {
	return new Proxy(client, {
		get(target, name) {
			const member: unknown = Reflect.get(target, name);
			if (name === 'duplicate') return (options: RedisOptions) => failingAt(target.duplicate(options), part);
			if (name !== 'eval' && name !== 'evalsha') return member;
			return (...args: [string, number, ...string[]]) =>
				args[2]?.includes(part) ? Promise.reject(new Error('half-way')) : target[name](...args);
		},
	});
}
