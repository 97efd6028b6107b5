import assert from 'node:assert/strict';
import { ManualClock } from '@holdfast/session-manager/testing';
import { RedisInfoSessionManager } from '@holdfast/session-manager-redis';
import { assertUnknown, pages, sampleRecord, until } from '@holdfast/session-manager-test-kit/own-cases';
import { afterAll, afterEach, beforeAll, beforeEach, describe, it } from 'vitest';
import { type RedisTopology, startStandalone } from '../../../test/support/redis/redis-topology.ts';

const HOUR = 3_600_000;

describe('a session', () => {
	let redis: RedisTopology;
	let info: RedisInfoSessionManager;
	beforeAll(async () => {
		redis = await startStandalone();
	});
	beforeEach(() => {
		info = new RedisInfoSessionManager(redis.connect());
	});
	afterEach(async () => {
		await info.close();
		await redis.flush();
	});
	afterAll(() => redis?.dispose());

	const gone = (id: string) => until(`${id} has expired`, async () => (await info.read(id)) === undefined);

	it.each([
		['was idle for too long', () => ({ lastUsedAt: Date.now(), idleTtlMs: 500 })],
		['reached its end', () => ({ endsAt: Date.now() + 500 })],
	])('is unknown once it %s, with all that belongs to it, and is made anew without inheriting', async (_, terms) => {
		const begin = Date.now();
		await info.create(sampleRecord('s', terms()));
		assert.equal(await info.addSubscription('s', 'file:///a'), true);
		assert.equal(await info.writeState('s', 'key', undefined, 's1'), true);
		await gone('s');
		assert.ok(Date.now() - begin >= 500);
		await assertUnknown(info, 's');
		await until('every key is gone', async () => (await redis.keys()).every((key) => !key.includes('{s:s}')));
		assert.equal(await info.create(sampleRecord('s')), true);
		assert.deepEqual(await info.getSubscribedUris('s'), []);
		assert.deepEqual(await info.getSubscriptions('file:///a'), []);
		assert.equal(await info.readState('s', 'key'), undefined);
	});

	it('lives for ever where nothing says when it ends, also if nobody uses it', async () => {
		const clock = new ManualClock(Date.now());
		const day = 24 * 60 * 60 * 1000;
		await using timed = new RedisInfoSessionManager(redis.connect(), { clock, maxSessions: 1 });
		const client = redis.connect();
		await timed.create(sampleRecord('s', { principal: 'alice', createdAt: clock.now(), lastUsedAt: clock.now() }));
		await timed.addSubscription('s', 'file:///a');
		await timed.writeState('s', 'key', undefined, 's1');
		for (const key of await redis.keys()) assert.ok((await client.pttl(key)) > 10_000 * day, key);
		for (let year = 0; year < 10; year++) {
			clock.advance(365 * day);
			assert.equal((await timed.read('s'))?.id, 's');
			assert.deepEqual(await timed.getSubscriptions('file:///a'), ['s']);
			assert.deepEqual(await timed.sessionsOf('alice'), ['s']);
			assert.deepEqual(await pages(timed, 10), [['s']]);
			await assert.rejects(async () => timed.create(sampleRecord('t')), { code: 'limit' });
		}
	});

	it('lives as long as it is touched, with all that belongs to it', async () => {
		const client = redis.connect();
		await info.create(sampleRecord('s', { lastUsedAt: Date.now() - 59_000, idleTtlMs: 60_000 }));
		await info.addSubscription('s', 'file:///a');
		await info.writeState('s', 'key', undefined, 's1');
		for (const used of [50_000, 30_000, 10_000, 0]) {
			assert.equal(await info.touch('s', Date.now() - used), true);
			for (const key of ['info', 'subscriptions', 'state']) {
				const left = await client.pttl(`holdfast:{s:s}:${key}`);
				assert.ok(left > 55_000 - used && left <= 60_000 - used + 1_000, `${key}: ${left}`);
			}
			assert.deepEqual(await info.getSubscriptions('file:///a'), ['s']);
			assert.deepEqual(await pages(info, 10), [['s']]);
		}
	});

	it('lives on, and ends in time, when the clocks of nodes differ or are set by an hour', async () => {
		const clocks = [new ManualClock(Date.now() + HOUR), new ManualClock(Date.now() - HOUR)] as const;
		await using ahead = new RedisInfoSessionManager(redis.connect(), { clock: clocks[0] });
		await using behind = new RedisInfoSessionManager(redis.connect(), { clock: clocks[1] });
		const nodes = [ahead, behind, info];
		const terms = { principal: 'alice', idleTtlMs: 60_000, keepEndedMs: HOUR * 10 };
		const record = sampleRecord('s', { ...terms, lastUsedAt: clocks[0].now(), endsAt: clocks[0].now() + 120_000 });
		assert.equal(await ahead.create(record), true);
		assert.equal(await behind.addSubscription('s', 'file:///a'), true);
		const lives = async () => {
			for (const node of nodes) {
				assert.equal((await node.read('s'))?.id, 's');
				assert.equal(await node.readEnded('s'), undefined);
				assert.deepEqual(await node.getSubscriptions('file:///a'), ['s']);
				assert.deepEqual(await node.sessionsOf('alice'), ['s']);
				assert.deepEqual(await pages(node, 10), [['s']]);
			}
			const left = await redis.connect().pttl('holdfast:{s:s}:subscriptions');
			assert.ok(left > 50_000 && left <= 61_000, `${left} ms are left`);
		};
		await lives();
		assert.equal(await behind.touch('s', clocks[1].now()), true);
		await lives();
		clocks[0].setNow(clocks[0].now() - 2 * HOUR);
		clocks[1].setNow(clocks[1].now() + 2 * HOUR);
		for (const [index, node] of [ahead, behind].entries()) {
			assert.equal(await node.touch('s', clocks[index]?.now() ?? 0), true);
			await lives();
		}
		assert.equal(await behind.update('s', { endsAt: clocks[1].now() + 200 }), true);
		await until('it has ended', async () => (await ahead.read('s')) === undefined);
		for (const node of nodes) {
			assert.equal((await node.readEnded('s'))?.reason, 'expired');
			assert.deepEqual(await node.getSubscriptions('file:///a'), []);
			assert.deepEqual(await pages(node, 10), [[]]);
			assert.deepEqual(await node.sessionsOf('alice'), ['s']);
		}
	});

	it('ends at its absolute end however often it is used', async () => {
		await info.create(sampleRecord('s', { lastUsedAt: Date.now(), idleTtlMs: 60_000, endsAt: Date.now() + 200 }));
		await until('it has ended', async () => !(await info.touch('s', Date.now())));
		await assertUnknown(info, 's');
	});

	it('expires as an update of its terms says, sooner or later', async () => {
		const now = Date.now();
		for (const id of ['longer', 'shorter']) {
			await info.create(sampleRecord(id, { lastUsedAt: now, idleTtlMs: id === 'longer' ? 800 : 60_000 }));
			await info.addSubscription(id, 'file:///a');
			await info.writeState(id, 'key', undefined, 's1');
		}
		assert.equal(await info.update('longer', { idleTtlMs: undefined }), true);
		assert.equal(await info.update('shorter', { endsAt: now + 800 }), true);
		await gone('shorter');
		await until('the longer one would have expired', () => Date.now() > now + 900);
		assert.deepEqual(await info.getSubscriptions('file:///a'), ['longer']);
		assert.equal((await info.readState('longer', 'key'))?.value, 's1');
		assert.deepEqual(await pages(info, 10), [['longer']]);
		await assertUnknown(info, 'shorter');
	});

	it('lives no shorter because another node’s clock is ahead or behind', async () => {
		const clock = (ahead: number) => ({
			now: () => Date.now() + ahead,
			monotonic: () => performance.now(),
			after: () => () => {},
		});
		await using ahead = new RedisInfoSessionManager(redis.connect(), { clock: clock(10_000) });
		await using behind = new RedisInfoSessionManager(redis.connect(), { clock: clock(-10_000) });
		await behind.create(sampleRecord('s', { lastUsedAt: Date.now() - 10_000, idleTtlMs: 60_000 }));
		await ahead.touch('s', Date.now() + 10_000);
		await behind.touch('s', Date.now() - 10_000);
		const left = await redis.connect().pttl('holdfast:{s:s}:info');
		assert.ok(left > 45_000, `${left} ms are left`);
	});
});
