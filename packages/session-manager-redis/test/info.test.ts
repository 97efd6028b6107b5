import { randomUUID } from 'node:crypto';
import { RedisInfoSessionManager } from '@holdfast/session-manager-redis';
import { afterAll, beforeAll, describe } from 'vitest';
import { describeInfo } from '../../session-manager/test/cases/register.ts';
import { type RedisTopology, topologies } from './support/redis-topology.ts';

describe.each(topologies)('on %s', (_, start) => {
	let redis: RedisTopology;
	beforeAll(async () => {
		redis = await start();
	});
	afterAll(() => redis?.dispose());

	describeInfo(
		async (count) => {
			const keyPrefix = `${randomUUID()}:`;
			const peers = Array.from({ length: count }, () => redis.connect());
			return peers.map((client) => new RedisInfoSessionManager(client, { keyPrefix }));
		},
		{ runs: 10 },
	);
});
