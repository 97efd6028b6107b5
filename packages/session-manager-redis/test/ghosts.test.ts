import assert from 'node:assert/strict';
import { RedisInfoSessionManager } from '@holdfast/session-manager-redis';
import { sampleRecord } from '@holdfast/session-manager-test-kit/own-cases';
import type { Redis, RedisOptions } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, it } from 'vitest';
import { type RedisTopology, startStandalone } from '../../../test/support/redis/redis-topology.ts';

const unavailable = { name: 'SessionManagerError', code: 'unavailable' };
const ofAlice = (id: string) => sampleRecord(id, { principal: 'alice', lastUsedAt: Date.now(), idleTtlMs: 60_000 });
const ONE = { perPrincipal: 1 };

describe('a session that has ended is in no index', () => {
	let redis: RedisTopology;
	let info: RedisInfoSessionManager;
	beforeAll(async () => {
		redis = await startStandalone();
	});
	beforeEach(async () => {
		info = new RedisInfoSessionManager(redis.connect(), { maxSessions: 1 });
		assert.equal(await info.create(ofAlice('s')), true);
		assert.equal(await info.addSubscription('s', 'file:///a'), true);
	});
	afterEach(async () => {
		await info.close();
		await redis.flush();
	});
	afterAll(() => redis?.dispose());

	/** It takes nobody's place, and no list has it. */
	async function assertForgotten(): Promise<void> {
		assert.deepEqual(await info.getSubscriptions('file:///a'), []);
		assert.deepEqual(await info.sessionsOf('alice'), []);
		assert.equal(await info.create(ofAlice('next'), ONE), true);
	}

	it.each([
		['touch', (node: RedisInfoSessionManager) => node.touch('s', Date.now())],
		['update', (node: RedisInfoSessionManager) => node.update('s', { idleTtlMs: 120_000 })],
	] as const)('where another node deletes it in the middle of a %s', async (_, change) => {
		let isFirst = true;
		const client = after(redis.connect() as Redis, async () => {
			if (!isFirst) return;
			isFirst = false;
			assert.equal(await info.delete('s'), true);
		});
		await using other = new RedisInfoSessionManager(client);
		assert.equal(await change(other), true);
		assert.equal(isFirst, false);
		await assertForgotten();
	});

	it.each([
		['delete', (node: RedisInfoSessionManager) => node.delete('s')],
		['end', (node: RedisInfoSessionManager) => node.end('s', Date.now(), 'over')],
	] as const)('once a %s is repeated whose reply was lost', async (_, end) => {
		await loseReply(end);
		assert.equal(await end(info), false);
		await assertForgotten();
	});

	it('where nobody repeats a delete whose reply was lost, as soon as another session needs its place', async () => {
		await loseReply((node) => node.delete('s'));
		assert.equal(await info.create(ofAlice('next'), ONE), true);
		assert.deepEqual(await info.sessionsOf('alice'), ['next']);
		await assert.rejects(async () => info.create(ofAlice('more'), ONE), { code: 'principal-limit' });
	});

	it('once it is told that its end has passed', async () => {
		assert.equal(await info.update('s', { endsAt: Date.now() - 1_000 }), true);
		await assertForgotten();
	});

	it('nor a subscription that was removed, once it is removed again since the reply was lost', async () => {
		await loseReply((node) => node.removeSubscription('s', 'file:///a'));
		assert.equal(await info.removeSubscription('s', 'file:///a'), false);
		assert.deepEqual(await info.getSubscriptions('file:///a'), []);
	});

	/** Lets a node ask Redis, which does the first step; the node does not hear of it. */
	async function loseReply(ask: (node: RedisInfoSessionManager) => unknown): Promise<void> {
		const client = after(redis.connect() as Redis, async () => {
			throw new Error('Connection is closed.');
		});
		await using node = new RedisInfoSessionManager(client);
		await assert.rejects(async () => ask(node), unavailable);
	}
});

/** A client whose connections do `work` after each script, before its reply is heard. */
function after(client: Redis, work: () => Promise<void>): Redis {
	return new Proxy(client, {
		get(target, name) {
			if (name === 'duplicate') return (options: RedisOptions) => after(target.duplicate(options), work);
			if (name !== 'eval' && name !== 'evalsha') return Reflect.get(target, name);
			return async (...args: [string, number, ...string[]]) => {
				const reply: unknown = await target[name](...args);
				await work();
				return reply;
			};
		},
	});
}
