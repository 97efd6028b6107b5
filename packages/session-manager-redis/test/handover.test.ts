import assert from 'node:assert/strict';
import { RedisStreamSessionManager } from '@holdfast/session-manager-redis';
import { open, sse } from '@holdfast/session-manager-test-kit/own-cases';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { TcpProxy } from '../../../test/support/network/tcp-proxy.ts';
import { type RedisTopology, startCluster, startStandalone } from '../../../test/support/redis/redis-topology.ts';
import { until } from '../../../test/support/until.ts';

describe.each([
	['a standalone Redis', startStandalone],
	['a cluster', startCluster],
])('on %s a client without a last event id', (_, start) => {
	let redis: RedisTopology;
	beforeAll(async () => {
		redis = await start();
	});
	afterAll(() => redis?.dispose());

	it('learns of events and broadcasts that were handed over in a reply which came too late', async () => {
		await using streams = new RedisStreamSessionManager(redis.connect());
		await until('the broadcasts are there', async () => (await streams.position()) !== '');
		const since = await streams.position();
		await streams.send(undefined, sse(1));
		const now = await streams.position();
		const broadcasts = await redis.masterOf('holdfast:{broadcast}:log');
		const isApart = redis.servers.length > 1;
		let tried = 0;
		for (const what of ['own', 'request', 'all', 'idle']) {
			let session = what;
			// The broadcasts are read before the stream is taken where they are on another server.
			while (isApart && (await redis.masterOf(`holdfast:{s:${session}}:log`)) === broadcasts)
				session = `${what}${++tried}`;
			const id = what === 'request' ? `${session} 1` : session;
			await until('its server is there', async () => !(await streams.has(id)));
			if (what === 'own' || what === 'request') await streams.send([id], sse(1));
			const options = { since: what === 'all' ? since : now };
			const admin = (await redis.masterOf(`holdfast:{s:${session}}:log`)).client();
			await admin.call('CLIENT', 'PAUSE', '60000', 'WRITE');
			try {
				await assert.rejects(open(streams, id, options), { code: 'unavailable' });
			} finally {
				await admin.call('CLIENT', 'UNPAUSE');
			}
			const again = await open(streams, id, options);
			assert.equal(again.continuation, what === 'idle' ? 'fresh' : 'gap', id);
		}
	});
});

it('a client that takes over on its own node gets what that node has not heard yet for the one before', async () => {
	await using redis = await startStandalone();
	await using proxy = await TcpProxy.to(redis.servers[0]?.port ?? 0);
	const source = redis.servers[0]?.client() ?? assert.fail();
	// The connection that subscribes, which is made after the one for commands, goes through the proxy.
	const duplicate = source.duplicate.bind(source);
	source.duplicate = (options) => {
		const commands = duplicate(options);
		const again = commands.duplicate.bind(commands);
		commands.duplicate = (more) => again({ ...more, port: proxy.port });
		return commands;
	};
	await using deaf = new RedisStreamSessionManager(source);
	await using other = new RedisStreamSessionManager(redis.connect());
	const old = await open(deaf, 's');
	await other.send(['s'], sse(1));
	await old.hears(1);
	proxy.stall();
	await other.send(['s'], sse(2));
	await other.send(undefined, sse(3));
	const newest = await open(deaf, 's');
	assert.equal(newest.continuation, 'fresh');
	assert.deepEqual(await newest.hears(3), ['2', '3']);
	assert.deepEqual([old.texts, old.ended], [['1'], true]);
});

it('a node whose Redis lost its data has one client of a stream', async () => {
	await using redis = await startStandalone();
	await using streams = new RedisStreamSessionManager(redis.connect());
	const old = await open(streams, 's');
	await redis.servers[0]?.client().flushall();
	const newest = await open(streams, 's');
	await streams.send(['s'], sse(1));
	assert.deepEqual(await newest.hears(1), ['1']);
	assert.deepEqual([old.texts, old.ended, newest.continuation], [[], true, 'gap']);
});
