import assert from 'node:assert/strict';
import { RedisInfoSessionManager, type RedisSource, RedisStreamSessionManager } from '@holdfast/session-manager-redis';
import { open, sampleRecord, sse } from '@holdfast/session-manager-test-kit/own-cases';
import { Cluster } from 'ioredis';
import { beforeAll, describe, it } from 'vitest';
import type { RedisTopology } from '../../../test/support/redis/redis-topology.ts';
import { until } from '../../../test/support/until.ts';

/** Tries both managers from end to end. */
export async function tryOut(source: RedisSource): Promise<void> {
	await using info = new RedisInfoSessionManager(source);
	await using streams = new RedisStreamSessionManager(source);
	assert.equal(await info.create(sampleRecord('s')), true);
	assert.deepEqual(await info.read('s'), sampleRecord('s'));
	assert.equal(await info.addSubscription('s', 'x:1'), true);
	assert.deepEqual(await info.getSubscriptions('x:1'), ['s']);
	assert.equal(await info.writeState('s', 'k', undefined, 's1'), true);
	assert.equal(await info.writeState('s', 'k', (await info.readState('s', 'k'))?.version, 's2'), true);
	const client = await open(streams, 's');
	await streams.send(['s'], sse(1));
	await client.hears(1);
	await streams.send(undefined, sse(2));
	assert.deepEqual(await client.has(2), ['1', '2']);
	assert.equal(await streams.has('s'), true);
	await streams.delete('s');
	assert.equal(await info.delete('s'), true);
}

/** What kinds of client the managers take. */
export function describeClients(topology: () => RedisTopology): void {
	describe('clients', () => {
		let redis: RedisTopology;
		beforeAll(() => {
			redis = topology();
		});

		it('clients with any options reach it, and are not closed', async () => {
			const client = redis.connect();
			await tryOut(client);
			assert.equal(await client.ping(), 'PONG');
			if (!(client instanceof Cluster)) return tryOut({ ...client.options });
			for (const options of [
				{ keyPrefix: 'app:' },
				{ scaleReads: 'slave' },
				{ shardedSubscribers: true },
				{ enableOfflineQueue: false, lazyConnect: true },
				{ enableAutoPipelining: true },
				{ redisOptions: { keyPrefix: 'app:', stringNumbers: true } },
				{ clusterRetryStrategy: null },
			] as const) {
				const other = client.duplicate([], options as never);
				other.on('error', () => {});
				await tryOut(other);
				other.disconnect();
			}
		});

		it('every master is asked for its policy', async () => {
			await Promise.all(
				redis.servers.map((server) => server.client().config('SET', 'maxmemory-policy', 'allkeys-lfu')),
			);
			const failures: string[] = [];
			await using streams = new RedisStreamSessionManager(redis.connect());
			streams.onerror = ({ message }) => failures.push(message);
			await streams.send(['s'], sse(1));
			await until('the policy is told', () => failures.some((message) => message.includes('allkeys-lfu')));
		});
	});
}
