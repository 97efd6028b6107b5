import assert from 'node:assert/strict';
import { RedisInfoSessionManager, RedisStreamSessionManager } from '@holdfast/session-manager-redis';
import { open, sampleRecord, sse } from '@holdfast/session-manager-test-kit/own-cases';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { RedisServer } from '../../../test/support/redis/redis-server.ts';
import { until } from '../../../test/support/until.ts';
import { tryOut } from './client-cases.ts';

describe('a standalone Redis', () => {
	let server: RedisServer;
	beforeAll(async () => {
		server = await RedisServer.create({ requirepass: 'secret' });
	});
	afterAll(() => server?.dispose());
	const options = () => ({ host: '127.0.0.1', port: server.port, password: 'secret' });

	it('is reached by a URL, by options and by a client, and by clients with any options', async () => {
		await tryOut(`redis://:secret@127.0.0.1:${server.port}`);
		await tryOut(options());
		for (const own of [
			{},
			{ lazyConnect: true },
			{ db: 3 },
			{ keyPrefix: 'app:' },
			{ stringNumbers: true },
			{ replyMapping: 'resp3' },
			{ protocol: 2 },
			{ enableOfflineQueue: false },
			{ enableReadyCheck: false },
			{ enableAutoPipelining: true },
			{ maxRetriesPerRequest: null },
			{ retryStrategy: null },
			{ readOnly: true },
			{ commandTimeout: 50 },
			{ autoResubscribe: false },
		] as const) {
			const client = new Redis({ ...options(), ...own });
			client.on('error', () => {});
			await tryOut(client as Redis);
			client.disconnect();
		}
	});

	it('keeps the caller’s client open and unsubscribed, and closes what the managers opened', async () => {
		const client = server.client({ password: 'secret' });
		await client.ping();
		const connections = async () =>
			String(await client.client('LIST'))
				.trim()
				.split('\n').length;
		const before = await connections();
		const managers = [new RedisInfoSessionManager(client), new RedisStreamSessionManager(client)] as const;
		assert.equal(await connections(), before, 'A constructor connects.');
		await managers[0].create(sampleRecord('s'));
		await open(managers[1], 's');
		assert.ok((await connections()) > before);
		for (const manager of managers) {
			await manager.close();
			await manager.close();
		}
		await until('our connections are closed', async () => (await connections()) === before);
		assert.equal(await client.ping(), 'PONG');
		assert.equal(client.status, 'ready');
		await assert.rejects(managers[0].read('s'), { code: 'closed' });
	});

	it('puts the key prefix of the caller’s client before ours', async () => {
		const client = server.client({ password: 'secret', keyPrefix: 'app:' });
		await using info = new RedisInfoSessionManager(client, { keyPrefix: 'mcp:' });
		await info.create(sampleRecord('prefixed'));
		const keys = await server.client({ password: 'secret' }).keys('*prefixed*');
		assert.deepEqual(keys, ['app:mcp:{s:prefixed}:info']);
	});

	it('refuses with its own error when the password is wrong, tells why, and crashes nothing', async () => {
		const failures: Error[] = [];
		await using info = new RedisInfoSessionManager({ ...options(), password: 'wrong' });
		info.onerror = (error) => failures.push(error);
		await assert.rejects(info.read('s'), { code: 'unavailable' });
		assert.ok(failures.some(({ message }) => message.includes('WRONGPASS')));
	});

	it('says corrupt of what we did not write', async () => {
		const client = server.client({ password: 'secret' });
		await using info = new RedisInfoSessionManager(client);
		const key = 'holdfast:{s:broken}:info';
		for (const fields of [
			{ record: '{' },
			{ record: '[]', initializeParams: '{}', lastUsedAt: '1' },
			{ record: '{"id":"broken"}', initializeParams: '{}', lastUsedAt: '1' },
			{ lastUsedAt: 'soon' },
		]) {
			await client.del(key);
			await client.hset(key, fields);
			await assert.rejects(info.read('broken'), { name: 'SessionManagerError', code: 'corrupt' });
		}
		await assert.rejects(info.touch('broken', 1), { code: 'corrupt' });
		await client.set(key, 'a string');
		await assert.rejects(info.read('broken'), { code: 'corrupt' });
		await assert.rejects(info.touch('broken', 1), { code: 'corrupt' });
		await client.hset('holdfast:{s:broken}:state', 'k', 'no version');
		await assert.rejects(info.readState('broken', 'k'), { code: 'corrupt' });
		await assert.rejects(info.listState('broken'), { code: 'corrupt' });
	});

	it('is told to have a policy under which no live session is dropped, once, and only where it has another', async () => {
		const client = server.client({ password: 'secret' });
		for (const [policy, told] of [
			['noeviction', 0],
			['allkeys-lru', 1],
			['volatile-ttl', 1],
		] as const) {
			await client.config('SET', 'maxmemory-policy', policy);
			const failures: string[] = [];
			await using streams = new RedisStreamSessionManager(client);
			streams.onerror = ({ message }) => failures.push(message);
			await streams.send(['s'], sse(1));
			await client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
			await until('the connection is back', async () => {
				await streams.send(['s'], sse(2));
				return true;
			});
			await streams.has('s');
			const policies = failures.filter((message) => message.includes('maxmemory-policy'));
			assert.equal(policies.length, told);
			if (told > 0) assert.match(policies[0] ?? '', new RegExp(`noeviction.*${policy}`));
		}
	});
});
