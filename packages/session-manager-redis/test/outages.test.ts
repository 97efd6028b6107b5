import assert from 'node:assert/strict';
import { RedisStreamSessionManager } from '@holdfast/session-manager-redis';
import { after, open, sse } from '@holdfast/session-manager-test-kit/own-cases';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { within } from '../../../test/support/deadline.ts';
import { TcpProxy } from '../../../test/support/network/tcp-proxy.ts';
import { RedisServer } from '../../../test/support/redis/redis-server.ts';
import { startStandalone } from '../../../test/support/redis/redis-topology.ts';
import { until } from '../../../test/support/until.ts';
import { Writer } from '../../../test/support/writer.ts';

const unavailable = { name: 'SessionManagerError', code: 'unavailable' };

/** Waits until a manager takes a message to `ids`. */
async function takes(manager: RedisStreamSessionManager, ids: readonly string[], data: string | number): Promise<void> {
	await until('messages are taken again', async () => {
		await manager.send(ids, sse(data));
		return true;
	});
}

/** How long `work` takes to fail. */
async function timeToRefuse(work: unknown): Promise<number> {
	const begin = performance.now();
	await assert.rejects(Promise.resolve(work), unavailable);
	return performance.now() - begin;
}

describe('with a network that fails', () => {
	let server: RedisServer;
	let proxy: TcpProxy;
	/** `near` reaches Redis through the proxy, `far` does not. */
	let near: RedisStreamSessionManager;
	let far: RedisStreamSessionManager;
	beforeAll(async () => {
		server = await RedisServer.create();
		proxy = await TcpProxy.to(server.port);
		near = new RedisStreamSessionManager({ host: '127.0.0.1', port: proxy.port });
		far = new RedisStreamSessionManager(server.url);
	});
	afterAll(async () => {
		await Promise.all([near?.close(), far?.close()]);
		await proxy?.dispose();
		await server?.dispose();
	});

	it('loses and doubles nothing when every connection is closed again and again', async () => {
		const gaps: string[] = [];
		const ongap = () => void gaps.push('gap');
		const clients = [await open(near, 'closed', { ongap }), await open(far, 'closed-too', { ongap })];
		const writers = [new Writer(far, ['closed', 'closed-too'], 'two-'), new Writer(near, undefined, 'all-')];
		const admin = server.client();
		for (let round = 0; round < 5; round++) {
			await Promise.all(writers.map((writer) => writer.takes(20)));
			if (round % 2 === 0) proxy.drop();
			else for (const type of ['pubsub', 'normal']) await admin.call('CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes');
		}
		await Promise.all(writers.map((writer) => writer.takes(20)));
		await Promise.all(writers.map((writer) => writer.stop()));
		for (const writer of writers) {
			writer.assertRefusals();
			for (const client of clients) await writer.assertArrived(client);
		}
		for (const client of clients) assert.equal(client.ended, false);
		assert.deepEqual(gaps, []);
	});

	it('finds out that its subscriber is dead although nobody says so, and fills what was missed', async () => {
		const client = await open(near, 'forgotten');
		const writer = new Writer(far, ['forgotten']);
		await writer.takes(20);
		proxy.forget();
		await writer.takes(20);
		const missed = writer.taken.at(-1) ?? '';
		await within(client.hears(missed), 'the missed message', 6_000);
		await writer.stop();
		await writer.assertArrived(client);
		assert.deepEqual(writer.refused, []);
		await takes(near, ['forgotten'], 'x');
	});

	it('refuses what needs Redis within a second while nothing comes through, and goes on by itself', async () => {
		const client = await open(near, 'stalled');
		await near.send(['stalled'], sse(1));
		proxy.stall();
		const refused = await Promise.all([
			timeToRefuse(near.send(['stalled'], sse('refused'))),
			timeToRefuse(near.send(undefined, sse('refused'))),
			timeToRefuse(near.send([' n'], sse('refused'))),
			timeToRefuse(near.has('stalled')),
			timeToRefuse(near.delete('other')),
			timeToRefuse(open(near, 'not opened')),
			timeToRefuse(open(near, ' not listened')),
		]);
		for (const ms of refused) assert.ok(ms < 1_000, `${ms} ms`);
		await far.send(['stalled'], sse(2));
		assert.equal(client.ended, false);
		proxy.refuse();
		assert.ok((await timeToRefuse(near.send(['stalled'], sse('refused')))) < 1_000);
		proxy.flow();
		assert.deepEqual(
			(await within(client.hears(2), 'what was missed', 5_000)).filter((text) => text !== 'refused'),
			['1', '2'],
		);
		await takes(near, ['stalled'], 3);
		await client.hears(3);
		assert.equal(await far.has('not opened'), false);
		assert.equal(await far.has(' not listened'), false);
	});

	it('tells the listeners of an address that they may have missed something, and lets them hear again', async () => {
		let gaps = 0;
		const listener = await open(near, ' listener', { ongap: () => void gaps++ });
		await far.send([' listener'], sse(1));
		await listener.hears(1);
		proxy.drop();
		await until('the gap is told', () => gaps === 1);
		await far.send([' listener'], sse(2));
		await listener.hears(2);
	});

	it('is not heard to hold a stream whose opening was given up', async () => {
		proxy.stall();
		const ids = ['given-up', 'given-up 1', ' given up'];
		await Promise.all(ids.map((id) => assert.rejects(open(near, id), unavailable)));
		proxy.flow();
		await takes(near, ['x'], 1);
		for (const id of ids) await until('nobody holds the stream', async () => !(await far.has(id)));
	});
});

// Each case has a Redis of its own, and all of them wait for it at the same time.
describe.concurrent('with a Redis that goes and comes', () => {
	it.each([
		['stops for 3 s and keeps its data', 3_000, { appendonly: 'yes' }],
		['is frozen for a while', 1_500, undefined],
	])(
		'loses and doubles nothing when Redis %s',
		async (_, ms, settings) => {
			await using redis = await startStandalone(settings);
			const [server] = redis.servers;
			await using a = new RedisStreamSessionManager(redis.connect());
			await using b = new RedisStreamSessionManager(redis.connect());
			let gaps = 0;
			const clients = [await open(a, 's', { ongap: () => void gaps++ }), await open(b, 't'), await open(b, 't 1')];
			const writer = new Writer(a, ['s', 't', 't 1']);
			await writer.takes(50);
			if (settings === undefined) server?.pause();
			else await server?.stop();
			const gone = performance.now();
			await until('the outage is over', () => performance.now() - gone > ms);
			assert.ok(writer.refused.length > 0);
			for (const client of clients) assert.equal(client.ended, false);
			if (settings === undefined) server?.resume();
			else await server?.start();
			const back = performance.now();
			await writer.takes(50, 5_000);
			await writer.stop();
			for (const client of clients) await writer.assertArrived(client);
			writer.assertRefusals();
			assert.ok(performance.now() - back < 5_000);
			// A Redis that restarted may have lost something; one that was frozen has not.
			assert.equal(gaps > 0, settings !== undefined);
			const resumed = await open(b, 's', after(clients[0] as never));
			assert.equal(resumed.continuation, 'resumed');
		},
		20_000,
	);

	it('closes streams when Redis comes back without its data, and says gap to whoever resumes', async () => {
		await using redis = await startStandalone();
		await using a = new RedisStreamSessionManager(redis.connect());
		const clients = [await open(a, 's'), await open(a, 's 1')];
		await a.send(['s', 's 1'], sse(1));
		for (const client of clients) await client.hears(1);
		await redis.servers[0]?.kill();
		await redis.servers[0]?.start();
		for (const client of clients) await client.end();
		await takes(a, ['s', 's 1'], 2);
		for (const [index, id] of ['s', 's 1'].entries()) {
			const back = await open(a, id, after(clients[index] as never));
			assert.equal(back.continuation, 'gap');
			assert.deepEqual(await back.hears(2), ['2']);
		}
	});

	it('says gap to whoever resumes after Redis was emptied, and goes on', async () => {
		await using redis = await startStandalone();
		await using a = new RedisStreamSessionManager(redis.connect());
		const clients = [await open(a, 's'), await open(a, 's 1')];
		await a.send(['s', 's 1'], sse(1));
		for (const client of clients) await client.hears(1);
		await redis.flush();
		await a.send(['s', 's 1'], sse(2));
		for (const [index, id] of ['s', 's 1'].entries()) {
			await clients[index]?.hears(2);
			const back = await open(a, id, after(clients[index] as never, 1));
			assert.equal(back.continuation, 'gap');
			assert.deepEqual(await back.hears(2), ['2']);
		}
	});

	it('works once Redis is there, when it was made before', async () => {
		await using redis = await startStandalone();
		const [server] = redis.servers;
		await server?.stop();
		const failures: Error[] = [];
		await using a = new RedisStreamSessionManager(server?.url ?? '');
		a.onerror = (error) => failures.push(error);
		const refused = [open(a, 's'), open(a, ' n'), a.send(['s'], sse('refused'))].map(timeToRefuse);
		for (const ms of await Promise.all(refused)) assert.ok(ms < 1_000, `${ms} ms`);
		assert.ok(failures.length > 0);
		await server?.start();
		await until('the stream is opened', () => open(a, 's').then(() => true));
		const client = await open(a, 's');
		await a.send(['s'], sse(1));
		assert.deepEqual(await client.hears(1), ['1']);
	});

	it('closes at once and quietly while Redis is away', async () => {
		await using redis = await startStandalone();
		const a = new RedisStreamSessionManager(redis.connect());
		const client = await open(a, 's');
		redis.servers[0]?.pause();
		const pending = assert.rejects(Promise.resolve(a.send(['s'], sse(1))));
		await within(Promise.resolve(a.close()), 'close', 2_000);
		assert.equal(client.ended, true);
		await pending;
	});
});

it('2,000 streams are restored within seconds after Redis closed the connection that they are heard on', async () => {
	await using redis = await startStandalone();
	await using a = new RedisStreamSessionManager(redis.connect());
	await using b = new RedisStreamSessionManager(redis.connect());
	const ids = Array.from({ length: 2_000 }, (_, n) => `s${n}`);
	const clients = await Promise.all(ids.map((id) => open(a, id)));
	await redis.servers[0]?.client().call('CLIENT', 'KILL', 'TYPE', 'pubsub');
	await b.send(ids, sse('missed'));
	await within(Promise.all(clients.map((client) => client.hears('missed'))), 'every client has what it missed', 5_000);
	await b.send(undefined, sse('live'));
	for (const client of clients) assert.deepEqual(await client.hears('live'), ['missed', 'live']);
});
