import { randomUUID } from 'node:crypto';
import { RedisInfoSessionManager, RedisStreamSessionManager } from '@holdfast/session-manager-redis';
import type { Ability, Backend } from '@holdfast/session-manager-test-kit';
import { describeContract } from '@holdfast/session-manager-test-kit/vitest';
import { afterAll, beforeAll, describe } from 'vitest';
import { type RedisTopology, topologies } from './support/redis-topology.ts';

const abilities: readonly Ability[] = [
	...(['streams', 'info', 'keepsEnded', 'history', 'limits'] as const),
	...(['crossNode', 'outages', 'durable', 'dataLoss'] as const),
];

describe.each(topologies)('on %s', (name, start) => {
	let redis: RedisTopology;
	beforeAll(async () => {
		redis = await start({ appendonly: 'yes' });
	});
	afterAll(() => redis?.dispose());

	describeContract({
		// The log of everyone is on another server of a cluster than that of a session.
		abilities: name === 'cluster' ? abilities : [...abilities, 'oneOrder'],
		createPeers(count, limits) {
			const keyPrefix = `${randomUUID()}:`;
			const peers = Array.from({ length: count }, () => ({
				streams: new RedisStreamSessionManager(redis.connect(), { ...limits, keyPrefix }),
				info: new RedisInfoSessionManager(redis.connect(), { keyPrefix }),
			}));
			const managers = peers.flatMap(({ streams, info }) => [streams, info]);
			const close = async () => void (await Promise.all(managers.map((manager) => manager.close())));
			return { peers, backend: backendOf(redis), close };
		},
	});
});

function backendOf(redis: RedisTopology): Required<Backend> {
	return {
		fail() {
			for (const server of redis.servers) server.pause();
		},
		heal() {
			for (const server of redis.servers) server.resume();
		},
		restart: () => redis.restart(),
		loseData: () => redis.flush(),
	};
}
