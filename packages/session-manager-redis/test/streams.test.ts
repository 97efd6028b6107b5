import { randomUUID } from 'node:crypto';
import { RedisStreamSessionManager } from '@holdfast/session-manager-redis';
import { afterAll, beforeAll, describe } from 'vitest';
import { describeStreams } from '../../session-manager/test/cases/register.ts';
import { type RedisTopology, topologies } from './support/redis-topology.ts';

describe.each(topologies)('on %s', (name, start) => {
	let redis: RedisTopology;
	beforeAll(async () => {
		redis = await start();
	});
	afterAll(() => redis?.dispose());

	describeStreams(
		async (count, options) => {
			const keyPrefix = `${randomUUID()}:`;
			const peers = Array.from({ length: count }, () => redis.connect());
			return peers.map((client) => new RedisStreamSessionManager(client, { ...options, keyPrefix }));
		},
		// The log of everyone is on another server there than that of a session.
		{ oneOrder: name !== 'cluster' },
	);
});
