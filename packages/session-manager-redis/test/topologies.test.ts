import { afterAll, beforeAll, describe } from 'vitest';
import { type RedisTopology, topologies } from '../../../test/support/redis/redis-topology.ts';
import { describeClients } from './client-cases.ts';
import {
	describeHangingMaster,
	describeInterruptions,
	describeMoving,
	describePartlyReached,
} from './interruption-cases.ts';
import { describeKeys } from './key-cases.ts';

describe.each(topologies)('on %s', (name, start) => {
	let redis: RedisTopology;
	beforeAll(async () => {
		redis = await start();
	});
	afterAll(() => redis?.dispose());

	describeKeys(() => redis);
	describeClients(() => redis);
	describeInterruptions(() => redis);
	if (name === 'cluster') {
		describePartlyReached(() => redis);
		describeHangingMaster(() => redis);
		describeMoving(() => redis);
	}
});
