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
	])('streams go on by themselves when the master of %s dies; what it took with it is told', async (__, key) => {
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
		const killed = await redis.failOver(key);
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
				assert.ok(missing.length === 0 || gaps.has(ids[index] ?? ''), `${ids[index]} misses ${missing} and was not told.`);
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
		// The old master comes back as a replica; nobody mistakes it for the master.
		await killed.start();
		await eventually('the old master follows', async () => {
			const info = await killed.client().info('replication');
			return info.includes('role:slave') && info.includes('master_link_status:up');
		});
		for (const s of redis.servers) console.log(s.port, s === killed, (await s.client().info('replication')).split('\r\n').slice(1, 5).join(' '), JSON.stringify(await s.client().call('PUBSUB', 'SHARDCHANNELS')));
		await a.send(ids, sse('last'));
		await a.send(undefined, sse('really last'));
		for (const id of ids) assert.equal(await b.has(id), true);
	}, 40_000);
});
