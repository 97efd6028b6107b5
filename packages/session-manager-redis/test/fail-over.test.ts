import assert from 'node:assert/strict';
import { RedisStreamSessionManager } from '@holdfast/session-manager-redis';
import { describe, it } from 'vitest';
import { after, open, sse } from '../../session-manager/test/cases/case.ts';
import { eventually } from './support/eventually.ts';
import { startCluster, startSentinel } from './support/redis-topology.ts';
import { Writer } from './support/traffic.ts';

const topologies = [
	['sentinel', startSentinel],
	['cluster', startCluster],
] as const;

describe.each(topologies)('on %s', (_, start) => {
	it.each([
		['a session', 'holdfast:{s:s}:log'],
		['messages to everyone', 'holdfast:{broadcast}:log'],
	])(
		'streams go on by themselves when the master of %s dies; what it took with it is told',
		async (__, key) => {
			await using redis = await start();
			await using a = new RedisStreamSessionManager(redis.connect());
			await using b = new RedisStreamSessionManager(redis.connect());
			const gaps = new Set<string>();
			const ids = ['s', 't', 'u'];
			const clients = await Promise.all(
				ids.map((id, index) => open(index === 0 ? a : b, id, { prime: sse('prime'), ongap: () => void gaps.add(id) })),
			);
			const listener = await open(b, ' listener');
			const writers = [new Writer(b, ids, 'to-'), new Writer(a, undefined, 'all-')] as const;
			await Promise.all(writers.map((writer) => writer.takes(50)));
			await redis.failOver(key);
			const failedOver = performance.now();
			await Promise.all(writers.map((writer) => writer.takes(50, 10_000)));
			const recovered = performance.now() - failedOver;
			assert.ok(recovered < 5_000, `Messages were taken again only after ${recovered} ms.`);
			await Promise.all(writers.map((writer) => writer.stop()));
			for (const writer of writers) {
				writer.assertRefusals();
				for (const [index, client] of clients.entries()) {
					await client.hears(writer.taken.at(-1) ?? '');
					const missing = writer.missingIn(client.texts);
					assert.ok(
						missing.length === 0 || gaps.has(ids[index] ?? ''),
						`${ids[index]} misses ${missing} and was not told.`,
					);
				}
			}
			for (const client of clients) assert.equal(client.ended, false);
			await b.send([' listener'], sse('heard'));
			await listener.hears('heard');
			for (const [index, id] of ids.entries()) {
				assert.equal(await a.has(id), true);
				const client = clients[index];
				assert.ok(client);
				const back = await open(b, id, after(client));
				assert.equal(back.continuation, 'resumed');
			}
		},
		40_000,
	);
});

it('on a cluster a master that comes back as a replica is not mistaken for the master', async () => {
	await using redis = await startCluster();
	await using a = new RedisStreamSessionManager(redis.connect());
	await using b = new RedisStreamSessionManager(redis.connect());
	const client = await open(a, 's');
	const killed = await redis.failOver('holdfast:{s:s}:log');
	await killed.start();
	const admin = killed.client();
	await eventually('the old master follows', async () =>
		(await admin.info('replication')).includes('master_link_status:up'),
	);
	await eventually('the stream is held', () => b.has('s'));
	await eventually('messages are taken', async () => {
		await b.send(['s'], sse('to the new master'));
		return true;
	});
	await client.hears('to the new master');
	assert.deepEqual(await admin.call('PUBSUB', 'SHARDCHANNELS'), []);
	// And by hand, without anybody's death.
	await admin.call('CLUSTER', 'FAILOVER');
	await eventually('it is the master again', async () => (await admin.info('replication')).includes('role:master'));
	await eventually('messages are taken', async () => {
		await b.send(['s'], sse('to the old master'));
		return true;
	});
	await client.hears('to the old master');
	assert.equal(client.ended, false);
}, 30_000);
