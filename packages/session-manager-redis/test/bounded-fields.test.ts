import assert from 'node:assert/strict';
import { RedisStreamSessionManager } from '@holdfast/session-manager-redis';
import { numbers, open, sse } from '@holdfast/session-manager-test-kit/own-cases';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { type RedisTopology, startStandalone } from '../../../test/support/redis/redis-topology.ts';
import { until } from '../../../test/support/until.ts';

const key = 'holdfast:{s:s}:streams';

/** The end of a request stream. */
const end = (text: string) => `data: ${text}\n:end\n\n`;

describe('the fields of a session', () => {
	let redis: RedisTopology;
	beforeAll(async () => {
		redis = await startStandalone();
	});
	afterAll(() => redis?.dispose());
	const admin = () => redis.servers[0]?.client() ?? assert.fail();

	it('no step stops Redis, and a session is deleted, however many there are', async () => {
		await using streams = new RedisStreamSessionManager(redis.connect());
		const client = await open(streams, 's');
		const held = await open(streams, 's held');
		const redisClient = admin();
		for (let from = 0; from < 404_000; from += 4_000) {
			const fields = numbers(from, from + 3_999).flatMap((n) => [`u:name${n}`, 'abc 1']);
			await redisClient.hset(key, ...fields);
		}
		await redisClient.config('SET', 'slowlog-log-slower-than', '100000');
		await redisClient.call('SLOWLOG', 'RESET');
		await streams.send(['s', 's held'], sse(1));
		(await open(streams, 's other')).leave();
		await streams.delete('s');
		for (const each of [client, held]) await each.end();
		assert.deepEqual(await redisClient.call('SLOWLOG', 'GET', '10'), []);
		assert.deepEqual(
			(await redis.keys()).filter((each) => each.includes('{s:s}')),
			[],
		);
	});

	it('those of streams that nobody needs any more are swept', async () => {
		await using streams = new RedisStreamSessionManager(redis.connect(), { history: { maxAgeMs: 50 } });
		await open(streams, 's');
		const held = await open(streams, 's held', { prime: sse('prime') });
		for (const n of numbers(1, 300)) {
			(await open(streams, `s ${n}`)).leave();
			if (Number(n) % 2 === 0) await streams.send([`s ${n}`], Number(n) % 3 === 0 ? end(n) : sse(n));
		}
		const redisClient = admin();
		await until('they are swept', async () => {
			(await open(streams, 's')).leave();
			return (await redisClient.hlen(key)) <= 110;
		});
		await streams.send(['s held'], sse('still there'));
		assert.deepEqual(await held.hears('still there'), ['prime', 'still there']);
		await streams.delete('s');
	});
});
