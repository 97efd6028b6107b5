import { randomUUID } from 'node:crypto';
import { RedisInfoSessionManager, RedisStreamSessionManager } from '@holdfast/session-manager-redis';
import type { Ability } from '@holdfast/session-manager-test-kit';
import { describeContract } from '@holdfast/session-manager-test-kit/vitest';
import { afterAll, beforeAll, describe } from 'vitest';
import { describeClients } from './client-cases.ts';
import { describeComeback, describeFailOver, keysToLose } from './fail-over-cases.ts';
import { describeInterruptions, describeMoving } from './interruption-cases.ts';
import { describeKeys } from './key-cases.ts';
import { type RedisTopology, topologies } from './support/redis-topology.ts';

describe.each(topologies)('on %s', (name, start) => {
	let redis: RedisTopology;
	beforeAll(async () => {
		redis = await start();
	});
	afterAll(() => redis?.dispose());

	// The log of everyone is on another server of a cluster than that of a session.
	const order: readonly Ability[] = name === 'cluster' ? [] : ['oneOrder'];
	describeContract({
		abilities: ['streams', 'info', 'keepsEnded', 'history', 'limits', 'crossNode', ...order],
		createPeers(count, limits) {
			const keyPrefix = `${randomUUID()}:`;
			const peers = Array.from({ length: count }, () => ({
				streams: new RedisStreamSessionManager(redis.connect(), { ...limits, keyPrefix }),
				info: new RedisInfoSessionManager(redis.connect(), { keyPrefix }),
			}));
			const managers = peers.flatMap(({ streams, info }) => [streams, info]);
			return { peers, close: async () => void (await Promise.all(managers.map((manager) => manager.close()))) };
		},
	});
	describeKeys(() => redis);
	describeClients(() => redis);
	describeInterruptions(() => redis);
	if (name === 'sentinel') describeFailOver(() => redis, [keysToLose.session]);
	if (name === 'cluster') {
		describeMoving(() => redis);
		describeFailOver(() => redis, [keysToLose.session, keysToLose.broadcasts]);
		describeComeback(() => redis);
	}
});
