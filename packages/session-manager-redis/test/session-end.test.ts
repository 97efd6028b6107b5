import assert from 'node:assert/strict';
import { RedisStreamSessionManager } from '@holdfast/session-manager-redis';
import { after, open, sse } from '@holdfast/session-manager-test-kit/own-cases';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { type RedisTopology, startStandalone } from '../../../test/support/redis/redis-topology.ts';
import { until } from '../../../test/support/until.ts';

describe('the keys of a session’s streams', () => {
	let redis: RedisTopology;
	beforeAll(async () => {
		redis = await startStandalone();
	});
	afterAll(() => redis?.dispose());
	const admin = () => redis.servers[0]?.client() ?? assert.fail();
	const livesOf = (id: string) =>
		Promise.all(['log', 'streams'].map((kind) => admin().pttl(`holdfast:{s:${id}}:${kind}`)));

	it('live no longer than the session, whatever is done with its streams', async () => {
		await using streams = new RedisStreamSessionManager(redis.connect(), { history: { maxAgeMs: 2_000 } });
		await streams.expireIn('s', 3_000);
		const client = await open(streams, 's', { prime: sse('prime') });
		await streams.send(['s', 's 1'], sse(1));
		(await open(streams, 's 1')).leave();
		for (const life of await livesOf('s')) assert.ok(life > 0 && life <= 3_000, `${life} ms`);
		await streams.expireIn('s', 60_000);
		const [log = 0, hash = 0] = await livesOf('s');
		assert.ok(log > 0 && log <= 3_000, `${log} ms`);
		assert.ok(hash > 3_000 && hash <= 12_000, `${hash} ms`);
		assert.equal((await open(streams, 's', after(client, 1))).continuation, 'resumed');
		await streams.expireIn('s', 100);
		await until('all of it has expired', async () => (await livesOf('s')).every((life) => life === -2));
	});

	it('expire as before where nothing is said of the session’s end', async () => {
		await using streams = new RedisStreamSessionManager(redis.connect(), { history: { maxAgeMs: 2_000 } });
		await streams.send(['t'], sse(1));
		const [log = 0, hash = 0] = await livesOf('t');
		assert.ok(log > 1_000 && log <= 3_000, `${log} ms`);
		assert.ok(hash > 3_000 && hash <= 13_000, `${hash} ms`);
	});
});
