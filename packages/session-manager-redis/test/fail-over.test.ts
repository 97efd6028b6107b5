import assert from 'node:assert/strict';
import { RedisInfoSessionManager, RedisStreamSessionManager } from '@holdfast/session-manager-redis';
import { after, open, sampleRecord, sse } from '@holdfast/session-manager-test-kit/own-cases';
import { describe, it } from 'vitest';
import { type RedisTopology, startCluster, startSentinel } from '../../../test/support/redis/redis-topology.ts';
import { until } from '../../../test/support/until.ts';
import { Writer } from '../../../test/support/writer.ts';

/** The key of a session, by which its master is found, and that of the messages to everyone. */
const session = 'holdfast:{s:s}:log';
const broadcasts = 'holdfast:{broadcast}:log';

// A dead master is found out by waiting: each case has servers of its own, and all of them wait at the same time.
describe.concurrent('fail-over', () => {
	it.each([
		['sentinel', 'a session', startSentinel, session],
		['cluster', 'a session', startCluster, session],
		['cluster', 'messages to everyone', startCluster, broadcasts],
	])(
		'on %s, when the master of %s dies, streams go on by themselves, and what it took with it is told',
		async (_, __, start, key) => {
			await using redis = await start({}, { failsOver: true });
			await using info = new RedisInfoSessionManager(redis.connect());
			await using a = new RedisStreamSessionManager(redis.connect());
			await using b = new RedisStreamSessionManager(redis.connect());
			const gaps = new Set<string>();
			const ids = ['s', 't', 'u'];
			for (const id of ids) await info.create(sampleRecord(id));
			await redis.replicated();
			const clients = await Promise.all(
				ids.map((id, index) => open(index === 0 ? a : b, id, { prime: sse('prime'), ongap: () => void gaps.add(id) })),
			);
			const listener = await open(b, ' listener');
			const writers = [new Writer(b, ids, 'to-'), new Writer(a, undefined, 'all-')] as const;
			await Promise.all(writers.map((writer) => writer.takes(50)));

			await redis.failOver(key);
			const failedOver = performance.now();
			await Promise.all(writers.map((writer) => writer.takes(50, 10_000)));
			for (const id of ids) await until('the session is there', async () => (await info.read(id)) !== undefined);
			await until('it can be written', () => info.writeState('s', 'k', '*', 's1'));
			const recovered = performance.now() - failedOver;
			assert.ok(recovered < 5_000, `Everything was taken again only after ${recovered} ms.`);

			await Promise.all(writers.map((writer) => writer.stop()));
			for (const writer of writers) {
				writer.assertRefusals();
				for (const [index, client] of clients.entries()) {
					await client.hears(writer.taken.at(-1) ?? '');
					const missing = writer.missingIn(client.texts);
					assert.ok(missing.length === 0 || gaps.has(ids[index] ?? ''), `${ids[index]} misses ${missing}, untold.`);
				}
			}
			for (const client of clients) assert.equal(client.ended, false);
			await b.send([' listener'], sse('heard'));
			await listener.hears('heard');
			for (const [index, id] of ids.entries()) {
				assert.equal(await a.has(id), true);
				const back = await open(b, id, clients[index] && after(clients[index]));
				assert.equal(back.continuation, 'resumed');
			}
			for (const id of ids) await Promise.all([a.delete(id), info.delete(id)]);
		},
		40_000,
	);

	it('on cluster, a master that comes back as a replica, or became one without dying, is not mistaken for the master', async () => {
		await using redis = await startCluster({}, { failsOver: true });
		await redis.replicated();
		await using a = new RedisStreamSessionManager(redis.connect());
		await using b = new RedisStreamSessionManager(redis.connect());
		const client = await open(a, 's');
		const takes = (text: string) =>
			until('messages are taken', async () => {
				await b.send(['s'], sse(text));
				return true;
			});
		const killed = await redis.failOver('holdfast:{s:s}:log');
		await bringBack(redis);
		await takes('to the new master');
		await client.hears('to the new master');
		await until('the stream is held at the new master', () => b.has('s'));
		const admin = killed.client();
		assert.deepEqual(await admin.call('PUBSUB', 'SHARDCHANNELS'), []);
		await admin.call('CLUSTER', 'FAILOVER', 'TAKEOVER');
		await takes('to the old master');
		await client.hears('to the old master');
		await until('the stream is held at the old master', () => b.has('s'));
		assert.equal(client.ended, false);
	}, 40_000);
});

/**
 * Starts what was killed, and waits until every replica follows its master: after a restart one that does not could
 * take over with nothing.
 */
async function bringBack(redis: RedisTopology): Promise<void> {
	await Promise.all(redis.servers.filter(({ pid }) => pid === undefined).map((server) => server.start()));
	await redis.replicated();
}
