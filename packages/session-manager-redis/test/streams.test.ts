import { randomUUID } from 'node:crypto';
import { RedisStreamSessionManager } from '@holdfast/session-manager-redis';
import { afterAll, beforeAll, describe } from 'vitest';
import { describeStreams } from '../../session-manager/test/cases/register.ts';
import { type RedisTopology, topologies } from './support/redis-topology.ts';

describe.each(topologies)('on %s', (_, start) => {
	let redis: RedisTopology;
	beforeAll(async () => {
		redis = await start();
	});
	afterAll(() => redis?.dispose());

	describeStreams(async (count, options) => {
		const keyPrefix = `${randomUUID()}:`;
		return Array.from(
			{ length: count },
			() => new RedisStreamSessionManager(redis.connect(), { ...options, keyPrefix }),
		);
	});
});
