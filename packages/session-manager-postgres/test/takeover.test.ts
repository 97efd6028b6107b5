import assert from 'node:assert/strict';
import { PostgresStreamSessionManager } from '@holdfast/session-manager-postgres';
import { open, sse } from '@holdfast/session-manager-test-kit/own-cases';
import { it } from 'vitest';
import { TcpProxy } from '../../../test/support/network/tcp-proxy.ts';
import { PostgresServer } from '../../../test/support/postgres/postgres-server.ts';
import { until } from '../../../test/support/until.ts';

it('a node that has not heard yet of a takeover writes no more to the old client', async () => {
	await using server = await PostgresServer.create();
	const proxy = await TcpProxy.to(server.port);
	const listenUrl = server.url.replace(`:${server.port}/`, `:${proxy.port}/`);
	await using deaf = new PostgresStreamSessionManager(server.url, { listenUrl });
	await using other = new PostgresStreamSessionManager(server.url);
	for (const streams of [deaf, other]) await until('it is connected', async () => !(await streams.has('s')));
	const old = await open(deaf, 's 1');
	await deaf.send(['s 1'], sse('before'));
	await old.hears('before');
	proxy.stall();
	const newest = await open(other, 's 1');
	await deaf.send(['s 1'], sse('after'));
	assert.deepEqual(await newest.hears('after'), ['after']);
	assert.deepEqual(old.texts, ['before']);
	await proxy.dispose();
});

it('a client without a last event id learns of what was handed over in a reply which came too late', async () => {
	await using server = await PostgresServer.create();
	await using streams = new PostgresStreamSessionManager(server.url);
	const others = await server.client();
	await until('it is connected', async () => !(await streams.has('own')));
	const since = await streams.position();
	await streams.send(undefined, sse(1));
	const now = await streams.position();
	for (const session of ['own', 'all', 'idle']) {
		const options = { since: session === 'all' ? since : now };
		(await open(streams, `${session} other`)).leave();
		if (session === 'own') await streams.send([session], sse(1));
		await others.query('begin');
		await others.query('select from holdfast.stream where session = $1 for update', [session]);
		await assert.rejects(open(streams, session, options), { code: 'unavailable' });
		await others.query('commit');
		await until('the stream is taken', async () => {
			const [row] = await server.query(
				`select token from holdfast.stream where session = '${session}' and name = '' and token is not null`,
			);
			return row !== undefined;
		});
		const again = await open(streams, session, options);
		assert.equal(again.continuation, session === 'idle' ? 'fresh' : 'gap', session);
	}
});

it('a client that takes over on its own node gets what that node has not heard yet for the one before', async () => {
	await using server = await PostgresServer.create();
	const proxy = await TcpProxy.to(server.port);
	const listenUrl = server.url.replace(`:${server.port}/`, `:${proxy.port}/`);
	await using deaf = new PostgresStreamSessionManager(server.url, { listenUrl });
	await using other = new PostgresStreamSessionManager(server.url);
	for (const streams of [deaf, other]) await until('it is connected', async () => !(await streams.has('s')));
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
	await proxy.dispose();
});
