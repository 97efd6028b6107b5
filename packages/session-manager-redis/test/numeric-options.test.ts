import { redisSessionManager } from '@holdfast/session-manager-redis';
import { afterAll, beforeAll } from 'vitest';
import { describeNumericOptions, NUMBERS } from '../../../test/support/numeric-options.ts';
import { type RedisTopology, startStandalone } from '../../../test/support/redis/redis-topology.ts';

let redis: RedisTopology;
beforeAll(async () => {
	redis = await startStandalone();
});
afterAll(() => redis?.dispose());

describeNumericOptions(NUMBERS, (options) => redisSessionManager(redis.connect(), options));
