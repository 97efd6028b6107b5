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
