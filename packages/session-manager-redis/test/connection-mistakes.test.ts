import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import {
	RedisInfoSessionManager,
	RedisStreamSessionManager,
	redisSessionManager,
} from '@holdfast/session-manager-redis';
import { sampleRecord } from '@holdfast/session-manager-test-kit/own-cases';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { RedisServer } from '../../../test/support/redis/redis-server.ts';
import { until } from '../../../test/support/until.ts';
import { triedCommands } from '../src/permissions.ts';
import { tryOut } from './client-cases.ts';

const expected = "a URL such as 'redis://localhost:6379', a client of ioredis, or its options";
/** What a client of node-redis looks like. */
class RedisClient {
	connect() {}
	sendCommand() {}
	duplicate() {}
}

describe('what is no way to Redis', () => {
	it.each([
		[undefined, `${expected}, not undefined.`],
		[null, `${expected}, not null.`],
		[6379, `${expected}, not 6379.`],
		[['redis://a', 'redis://b'], `${expected}, not a list.`],
		['', `${expected}; '' is no URL of Redis.`],
		['http://localhost:6379', `${expected}; 'http://localhost:6379' is no URL of Redis.`],
		['postgres://me:secret@db/x', `${expected}; 'postgres://…@db/x' is no URL of Redis.`],
		['redis://me:sec/ret@db', `${expected}; 'redis://…@db' is no URL of Redis.`],
		['redis://:sec?ret@db', `${expected}; 'redis://…' is no URL of Redis.`],
		['redis:/:secret@db', `${expected}; 'redis:/…@db' is no URL of Redis.`],
		[new RedisClient(), `${expected}; an object of class RedisClient is a client of another library.`],
		[Promise.resolve(), `${expected}, not a promise: await it first.`],
	])('is refused when the managers are made: %s', (source, sentence) => {
		for (const Manager of [RedisInfoSessionManager, RedisStreamSessionManager]) {
			assert.throws(() => new Manager(source as never), {
				name: 'TypeError',
				message: `${Manager.name} needs ${sentence}`,
			});
		}
	});

	it('is told from options of another library: their URL goes by itself', () => {
		assert.throws(() => redisSessionManager({ url: 'redis://localhost' } as never), {
			name: 'TypeError',
			message: 'RedisInfoSessionManager takes the URL itself, not an object with a url.',
		});
	});

	it('does not include a host, a port, a path or options', async () => {
		for (const source of ['localhost', '6379', '/tmp/redis.sock', 'rediss://a:b@c:1/2', {}, { port: 1 }])
			await redisSessionManager(source).close();
	});
});

describe('an option', () => {
	it('is checked, and may be one of either manager', async () => {
		assert.throws(() => redisSessionManager('localhost', { keyprefix: 'a:' } as never), {
			name: 'TypeError',
			message: 'RedisInfoSessionManager has no option keyprefix. Did you mean keyPrefix?',
		});
		assert.throws(() => new RedisStreamSessionManager('localhost', { maxBufferedBytes: Number.NaN }), {
			message: 'RedisStreamSessionManager: maxBufferedBytes must be a number of bytes, 0 or more, not NaN.',
		});
		await redisSessionManager('localhost', { keyPrefix: 'a:', maxSessions: 5, history: { maxEvents: 1 } }).close();
	});
});

describe('a Redis that cannot be reached', () => {
	it('is named in the error, without its password', async () => {
		await using server = await RedisServer.create();
		await server.stop();
		const source = `redis://me:secret@127.0.0.1:${server.port}`;
		await using pair = redisSessionManager(source);
		for (const work of [() => pair.info.read('s'), () => pair.streams.has('s')]) {
			await assert.rejects(async () => work(), {
				code: 'unavailable',
				message: `Redis at 127.0.0.1:${server.port} is unavailable; try again later.`,
			});
		}
	});
});

describe('a user who lacks a permission', () => {
	let server: RedisServer;
	beforeAll(async () => {
		server = await RedisServer.create();
	});
	afterAll(() => server?.dispose());

	const source = (user: string) => `redis://${user}:secret@127.0.0.1:${server.port}`;
	const allow = (user: string, ...rules: string[]) =>
		server.client().call('ACL', 'SETUSER', user, 'reset', 'on', '>secret', '~*', '&*', ...rules);

	it('gets one error from everything, which names what is lacking, until it is allowed', async () => {
		await allow('poor', '+@all', '-xadd', '-spublish', '-info');
		await using pair = redisSessionManager(source('poor'));
		const message =
			`The user of Redis at 127.0.0.1:${server.port} may not run commands that this package needs: ` +
			'info, spublish, xadd. Allow them and its keys and channels, for example with ACL SETUSER.';
		const errors = await Promise.all(
			[() => pair.info.read('s'), () => pair.streams.has('s'), () => pair.info.create(sampleRecord('s'))].map((work) =>
				Promise.resolve(work()).then(
					() => undefined,
					(error: unknown) => error,
				),
			),
		);
		assert.equal(new Set(errors).size, 1);
		assert.deepEqual([(errors[0] as Error).message, (errors[0] as { code: string }).code], [message, 'unavailable']);
		await allow('poor', '+@all');
		await until('it may', async () => (await pair.info.create(sampleRecord('s'))) === true);
		assert.deepEqual(await server.client().keys('*permissions*'), []);
	});

	it.each(['time', 'evalsha', 'hset', 'zadd', 'pubsub'])('is found out without %s', async (command) => {
		await allow('other', '+@all', `-${command}`);
		await using info = new RedisInfoSessionManager(source('other'));
		await assert.rejects(async () => info.read('s'), { message: new RegExp(` needs: ${command}\\. `) });
	});

	it('who gives a wrong password finds it in no error', async () => {
		await allow('known', '+@all');
		const errors: unknown[] = [];
		await using pair = redisSessionManager(`redis://known:wr0ng@127.0.0.1:${server.port}`);
		for (const manager of [pair.info, pair.streams]) manager.onerror = (error) => errors.push(error);
		for (const work of [() => pair.info.read('s'), () => pair.streams.has('s')])
			await Promise.resolve(work()).catch((error: unknown) => errors.push(error));
		assert.ok(errors.length >= 4);
		const logged = inspect(errors, { depth: Number.POSITIVE_INFINITY });
		assert.match(logged, /WRONGPASS/);
		assert.doesNotMatch(logged, /wr0ng/);
	});

	it('whose password is changed is served on; after the connection is lost, once the new one is known', async () => {
		await allow('rotated', '+@all');
		await using pair = redisSessionManager(source('rotated'));
		const errors: string[] = [];
		for (const manager of [pair.info, pair.streams]) manager.onerror = (error) => errors.push(inspect(error));
		assert.equal(await pair.info.create(sampleRecord('rotated')), true);
		assert.equal(await pair.streams.has('rotated'), false);
		await server.client().call('ACL', 'SETUSER', 'rotated', '<secret', '>newer');
		assert.notEqual(await pair.info.read('rotated'), undefined);
		assert.equal(errors.length, 0);
		await server.client().call('CLIENT', 'KILL', 'USER', 'rotated');
		await until('the old password is refused', () => errors.some((error) => error.includes('WRONGPASS')));
		await assert.rejects(async () => pair.info.read('rotated'), { code: 'unavailable' });
		await using next = redisSessionManager(source('rotated').replace('secret', 'newer'));
		assert.notEqual(await next.info.read('rotated'), undefined);
		// Redis takes both while nodes are replaced.
		await server.client().call('ACL', 'SETUSER', 'rotated', '>secret');
		await until('the old password is taken again', async () => {
			const works = [pair.info.read('rotated'), pair.streams.has('rotated')].map(async (work) => work);
			return (await Promise.allSettled(works)).every(({ status }) => status === 'fulfilled');
		});
	});

	it('for keys or channels is found out, too', async () => {
		await allow('keys', 'resetkeys', '~other:*', '+@all');
		await using info = new RedisInfoSessionManager(source('keys'));
		await assert.rejects(async () => info.read('s'), { message: / needs: .*hget, .*xadd, / });
		await using allowed = new RedisInfoSessionManager(source('keys'), { keyPrefix: 'other:' });
		assert.equal(await allowed.read('s'), undefined);
	});

	it('is no user who may run what is needed and no more', async () => {
		const commands = [...triedCommands, 'multi', 'discard', 'ssubscribe', 'sunsubscribe', 'ping', 'client', 'hello'];
		await allow('enough', ...commands.map((command) => `+${command}`), '+auth', '+select');
		await server.client().flushall();
		await tryOut(source('enough'));
	});

	it('is no user whom the README allows what it says', async () => {
		const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
		const [, said = ''] = /ACL SETUSER \w+ on ((?:.*\\\n)*.*)/.exec(readme) ?? [];
		const rules = said.replaceAll(/['\\]/g, '').split(/\s+/);
		assert.ok(rules.includes('~holdfast:*') && rules.includes('+@transaction'), said);
		await allow('told', 'resetkeys', 'resetchannels', ...rules);
		await server.client().flushall();
		await tryOut(source('told'));
	});
});

describe('a Redis that takes no more clients', () => {
	it('is unavailable to those that come, which connect once it takes them, and serves the others', async () => {
		await using server = await RedisServer.create();
		const admin = server.client();
		await using known = redisSessionManager(server.url);
		assert.equal(await known.info.create(sampleRecord('s')), true);
		assert.equal(await known.streams.has('s'), false);
		await until('all connections of the node are there', async () => {
			const clients = String(await admin.client('LIST'))
				.trim()
				.split('\n').length;
			await admin.config('SET', 'maxclients', clients);
			return clients >= 3;
		});
		await using late = redisSessionManager(server.url);
		const errors: unknown[] = [];
		for (const manager of [late.info, late.streams]) manager.onerror = (error) => errors.push(error);
		for (const work of [() => late.info.read('s'), () => late.streams.has('s')])
			await assert.rejects(async () => work(), { code: 'unavailable' });
		assert.ok(errors.length > 0);
		assert.notEqual(await known.info.read('s'), undefined);
		assert.equal(await known.streams.has('s'), false);
		await admin.config('SET', 'maxclients', 100);
		await until('it is served', async () => {
			const works = [() => late.info.read('s'), () => late.streams.has('s')].map(async (work) => work());
			return (await Promise.allSettled(works)).every(({ status }) => status === 'fulfilled');
		});
	});
});

it('every command of a script is one whose permission is tried', () => {
	const read = (name: string) => readFileSync(new URL(`../src/${name}`, import.meta.url), 'utf8');
	const scripts = read('scripts/info.ts') + read('scripts/streams.ts');
	const called = [...scripts.matchAll(/redis\.call\('([A-Z]+)'/g)].map(([, command]) => command?.toLowerCase() ?? '');
	assert.ok(called.length > 50);
	assert.deepEqual(
		[...new Set(called)].filter((command) => !triedCommands.includes(command)),
		[],
	);
	// A permission that nothing needs is not demanded either.
	const sent = read('redis-info-session-manager.ts') + read('redis-stream-session-manager.ts') + read('connection.ts');
	assert.deepEqual(
		triedCommands.filter((command) => !called.includes(command) && !new RegExp(`\\.${command}\\(`).test(sent)),
		[],
	);
});

it('both managers close together, and a client of the caller stays open', async () => {
	await using server = await RedisServer.create();
	const client = server.client();
	const pair = redisSessionManager(client);
	assert.equal(await pair.info.create(sampleRecord('s')), true);
	assert.equal(await pair.streams.has('s'), false);
	await pair.close();
	await pair.close();
	for (const work of [() => pair.info.read('s'), () => pair.streams.has('s')])
		await assert.rejects(async () => work(), { code: 'closed' });
	assert.equal(await client.ping(), 'PONG');
});
