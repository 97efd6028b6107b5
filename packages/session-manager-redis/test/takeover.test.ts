import assert from 'node:assert/strict';
import { RedisStreamSessionManager } from '@holdfast/session-manager-redis';
import { open, sse } from '@holdfast/session-manager-test-kit/own-cases';
import { it } from 'vitest';
import { TcpProxy } from '../../../test/support/network/tcp-proxy.ts';
import { RedisServer } from '../../../test/support/redis/redis-server.ts';

it('a node that has not heard yet of a takeover writes no more to the old client', async () => {
	await using server = await RedisServer.create();
	await using proxy = await TcpProxy.to(server.port);
	const source = server.client();
	// The connection that subscribes, which is made after the one for commands, goes through the proxy.
	const duplicate = source.duplicate.bind(source);
	source.duplicate = (options) => {
		const commands = duplicate(options);
		const again = commands.duplicate.bind(commands);
		commands.duplicate = (more) => again({ ...more, port: proxy.port });
		return commands;
	};
	await using deaf = new RedisStreamSessionManager(source);
	await using other = new RedisStreamSessionManager(server.client());
	const old = await open(deaf, 's 1');
	await deaf.send(['s 1'], sse('before'));
	await old.hears('before');
	assert.equal(proxy.connections > 0, true);
	proxy.stall();
	const newest = await open(other, 's 1');
	await deaf.send(['s 1'], sse('after'));
	assert.deepEqual(await newest.hears('after'), ['after']);
	assert.deepEqual(old.texts, ['before']);
});
