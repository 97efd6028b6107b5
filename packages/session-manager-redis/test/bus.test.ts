import assert from 'node:assert/strict';
import { RedisStreamSessionManager } from '@holdfast/session-manager-redis';
import { open, sse } from '@holdfast/session-manager-test-kit/own-cases';
import { it } from 'vitest';
import { startStandalone } from '../../../test/support/redis/redis-topology.ts';
import { until } from '../../../test/support/until.ts';

const big = 'x'.repeat(2 * 1024 * 1024);

it('a backlog of streams that Redis cuts off does not cut the addresses off, on which nodes talk', async () => {
	await using redis = await startStandalone();
	await using a = new RedisStreamSessionManager(redis.connect());
	await using b = new RedisStreamSessionManager(redis.connect());
	let gaps = 0;
	const listener = await open(a, ' node', { ongap: () => void gaps++ });
	const streams = [await open(a, 's'), await open(a, 't 1')];
	const admin = redis.servers[0]?.client() ?? assert.fail();
	await admin.config('SET', 'client-output-buffer-limit', 'pubsub 1048576 0 0');
	const subscribers = async (): Promise<string[]> =>
		String(await admin.client('LIST', 'TYPE', 'PUBSUB')).match(/\bid=\d+/g) ?? [];
	const before: string[] = await subscribers();
	for (const id of ['s', 't 1']) await b.send([id], sse(big));
	await until('Redis has cut a subscriber off', async () => {
		const now = await subscribers();
		return before.some((id) => !now.includes(id));
	});
	await b.send([' node'], sse('to the node'));
	await listener.hears('to the node');
	for (const stream of streams) await stream.hears(big);
	assert.equal(gaps, 0);
	assert.equal(listener.ended, false);
});

it('listeners are told that they missed messages when their connection was cut, and streams go on', async () => {
	await using redis = await startStandalone();
	await using a = new RedisStreamSessionManager(redis.connect());
	let gaps = 0;
	const listener = await open(a, ' node', { ongap: () => void gaps++ });
	const admin = redis.servers[0]?.client() ?? assert.fail();
	const [only] = String(await admin.client('LIST', 'TYPE', 'PUBSUB')).split('\n');
	const stream = await open(a, 's', { ongap: () => assert.fail('nothing of it was missed') });
	await admin.client('KILL', 'ID', Number(/\bid=(\d+)/.exec(only ?? '')?.[1]));
	await until('the gap is told', () => gaps === 1);
	await a.send([' node'], sse('again'));
	await listener.hears('again');
	await a.send(['s'], sse(1));
	assert.deepEqual(await stream.hears(1), ['1']);
});
