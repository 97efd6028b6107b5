import assert from 'node:assert/strict';
import { PostgresStreamSessionManager, postgresSchemaSql } from '@holdfast/session-manager-postgres';
import { after, open, sse } from '@holdfast/session-manager-test-kit/own-cases';
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest';
import { within } from '../../../test/support/deadline.ts';
import { TcpProxy } from '../../../test/support/network/tcp-proxy.ts';
import { PostgresServer } from '../../../test/support/postgres/postgres-server.ts';
import { until } from '../../../test/support/until.ts';
import { Writer } from '../../../test/support/writer.ts';

const unavailable = { name: 'SessionManagerError', code: 'unavailable' };

async function isConnected(...managers: readonly PostgresStreamSessionManager[]): Promise<void> {
	for (const streams of managers) await until('it is connected', async () => !(await streams.has('nobody')));
}

/** Waits until a manager takes a message to `ids`. */
async function takes(manager: PostgresStreamSessionManager, ids: readonly string[], data: string): Promise<void> {
	await until('messages are taken again', async () => {
		await manager.send(ids, sse(data));
		return true;
	});
}

/** Asserts that `work` is refused within a second. */
async function refusedInTime(work: unknown): Promise<void> {
	const begin = performance.now();
	await assert.rejects(Promise.resolve(work), unavailable);
	const ms = performance.now() - begin;
	assert.ok(ms < 1_000, `${ms} ms`);
}

describe('streams, while the network fails or PostgreSQL is away', () => {
	let server: PostgresServer;
	let proxy: TcpProxy;
	/** `near` reaches PostgreSQL through the proxy, `far` does not. */
	let near: PostgresStreamSessionManager;
	let far: PostgresStreamSessionManager;
	beforeAll(async () => {
		server = await PostgresServer.create();
		await server.query(postgresSchemaSql());
		proxy = await TcpProxy.to(server.port);
		near = new PostgresStreamSessionManager(server.url.replace(`:${server.port}/`, `:${proxy.port}/`));
		far = new PostgresStreamSessionManager(server.url);
		await isConnected(near, far);
	});
	// A stopped server starts, and a frozen one goes on.
	afterEach(async () => {
		server.resume();
		await server.start();
		proxy.flow();
	});
	afterAll(async () => {
		await Promise.all([near?.close(), far?.close()]);
		await proxy?.dispose();
		await server?.dispose();
	});

	it('loses and doubles nothing when every connection is terminated again and again', async () => {
		const gaps: string[] = [];
		const ongap = () => void gaps.push('gap');
		const clients = [await open(near, 'closed', { ongap }), await open(far, 'closed-too', { ongap })];
		const writers = [new Writer(far, ['closed', 'closed-too'], 'two-'), new Writer(near, undefined, 'all-')];
		const terminate = `select pg_terminate_backend(pid) from pg_stat_activity
			where application_name = 'holdfast' and pid <> pg_backend_pid()`;
		for (let round = 0; round < 5; round++) {
			await Promise.all(writers.map((writer) => writer.takes(20)));
			if (round % 2 === 0) proxy.drop();
			else await server.query(terminate);
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

	it('finds out that its connections are dead although nobody says so, and fills what was missed', async () => {
		const client = await open(near, 'forgotten');
		const writer = new Writer(far, ['forgotten']);
		await writer.takes(20);
		proxy.forget();
		await writer.takes(20);
		await within(client.hears(writer.taken.at(-1) ?? ''), 'the missed message', 8_000);
		await writer.stop();
		await writer.assertArrived(client);
		assert.deepEqual(writer.refused, []);
		await takes(near, ['forgotten'], 'x');
	});

	it('refuses what needs PostgreSQL within a second while nothing comes through, and goes on by itself', async () => {
		const client = await open(near, 'stalled');
		await near.send(['stalled'], sse(1));
		proxy.stall();
		await Promise.all(
			[
				near.send(['stalled'], sse('refused')),
				near.send(undefined, sse('refused')),
				near.send([' n'], sse('refused')),
				near.has('stalled'),
				near.delete('other'),
				open(near, 'not opened'),
				open(near, ' not listened'),
			].map(refusedInTime),
		);
		await far.send(['stalled'], sse(2));
		assert.equal(client.ended, false);
		proxy.refuse();
		await refusedInTime(near.send(['stalled'], sse('refused')));
		proxy.flow();
		assert.deepEqual(
			(await within(client.hears(2), 'what was missed', 5_000)).filter((text) => text !== 'refused'),
			['1', '2'],
		);
		await takes(near, ['stalled'], '3');
		await client.hears(3);
		for (const id of ['not opened', ' not listened'])
			await until('nobody holds the stream', async () => !(await far.has(id)));
	});

	it('keeps the order of what is sent while a connection is made again, and streams are restored', async () => {
		const url = server.url.replace(`:${server.port}/`, `:${proxy.port}/`);
		await using streams = new PostgresStreamSessionManager(url, { listenUrl: server.url });
		await isConnected(streams);
		const client = await open(streams, 'ordered');
		let attempt = 0;
		// A busy machine may refuse one of them for want of time.
		const { sent, heard } = await until('all are taken', async () => {
			const round = ++attempt;
			proxy.refuse();
			// From here on the loss is known: what is sent waits.
			await assert.rejects(Promise.resolve(streams.has('nobody')), unavailable);
			const texts = ['a', 'b', 'c', 'd'].map((letter) => `${letter}${round}`);
			const sends = texts.map(async (text, turn) => {
				for (; turn > 0; turn--) await new Promise(setImmediate);
				await streams.send(['ordered'], sse(text));
			});
			setTimeout(() => proxy.flow(), 20);
			await Promise.all(sends);
			return { sent: texts, heard: await client.hears(`d${round}`) };
		});
		assert.deepEqual(heard.slice(-4), sent);
	});

	it('tells the listeners of an address that they may have missed something, and lets them hear again', async () => {
		let gaps = 0;
		const listener = await open(near, ' listener', { ongap: () => void gaps++ });
		// Nothing is missed without a word: what was not heard is told, and then what is sent afterwards is.
		const hears = async (text: string) => {
			for (let heard = false; !heard; ) {
				const before = gaps;
				await takes(far, [' listener'], text);
				const told = () => gaps > before;
				await until('it is heard, or told to be missed', () => listener.texts.includes(text) || told());
				heard = listener.texts.includes(text);
			}
		};
		await hears('1');
		const before = gaps;
		proxy.drop();
		await until('the gap is told', () => gaps > before);
		await hears('2');
	});

	it.each([
		{ how: 'stops for 3 s', ms: 3_000, isTold: false },
		{ how: 'crashes, and starts 1 s later', ms: 1_000, isTold: true },
		{ how: 'is frozen for a while', ms: 1_500, isTold: false },
	])('loses and doubles nothing when PostgreSQL $how', { timeout: 60_000 }, async ({ how, ms, isTold }) => {
		await using a = new PostgresStreamSessionManager(server.url, { durability: 'strict' });
		await using b = new PostgresStreamSessionManager(server.url, { durability: 'strict' });
		await isConnected(a, b);
		let gaps = 0;
		const ongap = () => void gaps++;
		const ids = ['s', 't', 't 1'].map((id) => `${isTold}${ms}${id}`);
		const clients = await Promise.all(ids.map((id, index) => open(index === 0 ? a : b, id, { ongap })));
		const writer = new Writer(a, ids);
		await writer.takes(50);
		if (how.startsWith('is frozen')) server.pause();
		else await (isTold ? server.crash() : server.stop());
		const gone = performance.now();
		await until('the outage is over', () => performance.now() - gone > ms);
		assert.ok(writer.refused.length > 0);
		for (const client of clients) assert.equal(client.ended, false);
		server.resume();
		await server.start();
		const back = performance.now();
		await writer.takes(50, 5_000);
		await writer.stop();
		for (const client of clients) await writer.assertArrived(client);
		writer.assertRefusals();
		assert.ok(performance.now() - back < 5_000);
		// Only one that crashed may have lost something.
		assert.equal(gaps > 0, isTold);
		const [first] = clients;
		assert.ok(first !== undefined);
		assert.equal((await open(b, ids[0] ?? '', after(first))).continuation, 'resumed');
	});

	it('works once PostgreSQL is there, when it was made before', async () => {
		await server.stop();
		const failures: Error[] = [];
		await using a = new PostgresStreamSessionManager(server.url);
		a.onerror = (error) => failures.push(error);
		await Promise.all([open(a, 's'), open(a, ' n'), a.send(['s'], sse('refused'))].map(refusedInTime));
		assert.ok(failures.length > 0);
		await server.start();
		const client = await until('the stream is opened', () => open(a, 'early'));
		await a.send(['early'], sse(1));
		assert.deepEqual(await client.hears(1), ['1']);
	});

	it('lets go of its connections soon where PostgreSQL hangs while it is closed', async () => {
		await using way = await TcpProxy.to(server.port);
		const streams = new PostgresStreamSessionManager(server.url.replace(`:${server.port}/`, `:${way.port}/`));
		await isConnected(streams);
		server.pause();
		await streams.close();
		await until('nothing is open', () => way.connections === 0);
	});

	it('closes at once and quietly while PostgreSQL is away', async () => {
		const a = new PostgresStreamSessionManager(server.url);
		await isConnected(a);
		const client = await open(a, 's');
		server.pause();
		const refused = assert.rejects(Promise.resolve(a.send(['s'], sse(1))), { name: 'SessionManagerError' });
		await within(a.close(), 'the manager is closed', 2_000);
		await refused;
		assert.equal(client.ended, true);
	});
});
