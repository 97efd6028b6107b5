import { randomUUID } from 'node:crypto';
import { RedisInfoSessionManager, RedisStreamSessionManager } from '@holdfast/session-manager-redis';
import { afterAll, beforeAll, describe } from 'vitest';
import { describeInfo, describeStreams } from '../../session-manager/test/cases/register.ts';
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

	describe('streams', () => {
		describeStreams(
			async (count, options) => {
				const keyPrefix = `${randomUUID()}:`;
				const clients = Array.from({ length: count }, () => redis.connect());
				return clients.map((client) => new RedisStreamSessionManager(client, { ...options, keyPrefix }));
			},
			// The log of everyone is on another server there than that of a session.
			{ oneOrder: name !== 'cluster' },
		);
	});
	describe('sessions', () => {
		describeInfo(
			async (count) => {
				const keyPrefix = `${randomUUID()}:`;
				const clients = Array.from({ length: count }, () => redis.connect());
				return clients.map((client) => new RedisInfoSessionManager(client, { keyPrefix }));
			},
			{ runs: 10 },
		);
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
