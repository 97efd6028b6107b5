import { fileURLToPath } from 'node:url';
import { NodeProcess } from '@holdfast/local-cluster';
import type { SessionRecord } from '@holdfast/session-manager';
import { redisSessionManager } from '@holdfast/session-manager-redis';
import { beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { nodeIdOf, readiness } from '../../../apps/everything-server/test/many-nodes/support/health.ts';
import { RedisServer, type RedisSettings } from '../../../test/support/redis/redis-server.ts';
import { until } from '../../../test/support/until.ts';
import { type Diagnosis, diagnose, type Settings } from '../src/index.ts';
import { ready, startNode } from './support/node.ts';
import { tamperingProxy } from './support/tampering-proxy.ts';

const everythingServer = fileURLToPath(new URL('../../../apps/everything-server/dist/main.js', import.meta.url));

let redis: RedisServer;

beforeAll(async () => {
	redis = await RedisServer.create();
	return () => redis.dispose();
});

beforeEach(async () => {
	await redis.client().flushall();
});

/** What the doctor finds in a Redis. */
function examined(store: string, settings: Settings = {}): Promise<Diagnosis> {
	return diagnose({ store, ...settings });
}

async function serverWith(settings: RedisSettings): Promise<RedisServer> {
	const server = await RedisServer.create(settings);
	onTestFinished(() => server.dispose());
	return server;
}

function managers() {
	const pair = redisSessionManager(redis.url);
	onTestFinished(() => pair.close());
	return pair;
}

function found(code: string, what: RegExp, repair: RegExp) {
	return { code, what: expect.stringMatching(what), repair: expect.stringMatching(repair) };
}

function sessionRecord(id: string): SessionRecord {
	const clientInfo = { name: 'client', version: '1' };
	const [createdAt, lastUsedAt] = [Date.now(), Date.now()];
	const initializeParams = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo };
	return { id, protocolVersion: '2025-11-25', initializeParams, serverCapabilities: {}, createdAt, lastUsedAt };
}

test('nothing is found in a healthy Redis that two nodes use', async () => {
	const node = await startNode({ sessionManager: managers() });
	const other = await startNode({ sessionManager: managers() });
	await ready([node, other]);
	await managers().info.create(sessionRecord('session-1'));
	expect(await examined(redis.url)).toEqual({
		findings: [],
		examined: [`redis://127.0.0.1:${redis.port}`],
		unreachable: false,
	});
});

test('an eviction policy that drops sessions is found', async () => {
	const server = await serverWith({ maxmemory: '100mb', 'maxmemory-policy': 'allkeys-lru' });
	expect((await examined(server.url)).findings).toEqual([found('redis-eviction', /allkeys-lru/, /noeviction/)]);
});

test('a memory that is nearly full is found', async () => {
	const server = await serverWith({ 'maxmemory-policy': 'noeviction' });
	const client = server.client();
	const used = Number(/^used_memory:(\d+)/m.exec(await client.info('memory'))?.[1]);
	await client.config('SET', 'maxmemory', Math.round(used * 1.05));
	const { findings } = await examined(server.url);
	expect(findings).toContainEqual(found('redis-memory', /of at most/, /Raise maxmemory/));
});

test('a clock that is wrong is found', async () => {
	const port = await tamperingProxy(redis.port, {
		reply: () => (text) =>
			text.replace(/^\*2\r\n\$10\r\n(\d{10})\r\n/, (_, time) => `*2\r\n$10\r\n${Number(time) + 3_600}\r\n`),
	});
	const { findings } = await examined(`redis://127.0.0.1:${port}`);
	expect(findings).toEqual([found('clock-skew', /3\d{3} s ahead of/, /time service/)]);
});

test('a permission that is missing is found', async () => {
	const client = redis.client();
	await client.call(
		'ACL',
		'SETUSER',
		'limited',
		'on',
		'>secret',
		'~holdfast:*',
		'&holdfast:*',
		'+@all',
		'-spublish',
		'-hset',
	);
	const { findings } = await examined(`redis://limited:secret@127.0.0.1:${redis.port}`);
	expect(findings).toEqual([found('store-permission', /spublish, hset|hset, spublish/, /ACL SETUSER/)]);
	expect(JSON.stringify(findings)).not.toContain('secret');
});

test('a Redis through which nodes do not hear each other is found', async () => {
	const client = redis.client();
	await client.call('ACL', 'SETUSER', 'deaf', 'on', '>secret', '~holdfast:*', '&holdfast:*', '+@all', '-ssubscribe');
	const { findings } = await examined(`redis://deaf:secret@127.0.0.1:${redis.port}`);
	expect(findings).toEqual([found('store-silent', /does not come back/, /\+@pubsub/)]);
});

test('keys that never expire are found, and no session id is shown', async () => {
	await redis.client().set('holdfast:{s:a-session-id}:left', 'over');
	const { findings } = await examined(redis.url);
	expect(findings).toEqual([found('redis-expiry', /^1 keys never expire/, /remove it/)]);
	expect(JSON.stringify(findings)).not.toContain('a-session-id');
});

test('a store that is full of sessions is found', async () => {
	const { info } = managers();
	for (let n = 0; n < 9; n++) await info.create(sessionRecord(`session-${n}`));
	const { findings } = await examined(redis.url, { maxSessions: 10 });
	expect(findings).toEqual([found('store-full', /9 of at most 10/, /Raise maxSessions/)]);
});

test('an old Redis is found', async () => {
	const port = await tamperingProxy(redis.port, {
		reply: () => (text) => text.replace(/redis_version:\d\.\d/, 'redis_version:6.2'),
	});
	const { findings } = await examined(`redis://127.0.0.1:${port}`);
	expect(findings).toEqual([found('redis-version', /6\.2/, /Run Redis 7 or later/)]);
});

test('a slow store is found', async () => {
	const port = await tamperingProxy(redis.port, { delayMs: 60 });
	const { findings } = await examined(`redis://127.0.0.1:${port}`);
	expect(findings).toEqual([found('store-slow', /takes \d+ ms/, /same region/)]);
});

test('a store that cannot be reached is found, and no password is shown', async () => {
	const port = await tamperingProxy(1, {});
	const diagnosis = await examined(`redis://user:secret@127.0.0.1:${port}`);
	expect(diagnosis.findings).toEqual([found('store-unreachable', /cannot be reached/, /See that it runs/)]);
	expect(diagnosis.unreachable).toBe(true);
	expect(JSON.stringify(diagnosis)).not.toContain('secret');
});

test('a node that hangs is found, and one that answers is not', async () => {
	const { info } = managers();
	const hung = await NodeProcess.start(everythingServer, (port) => ({
		args: ['--port', String(port), '--store', redis.url],
	}));
	onTestFinished(async () => {
		await hung.kill();
	});
	const { transport } = await startNode({ sessionManager: managers() });
	await until('both are ready', async () => (await transport.isReady()) && (await readiness(hung)) === 200);
	const ids = [await nodeIdOf(hung), transport.nodeId] as const;
	await until('both are announced', async () => {
		const announced = (await info.nodes()).map(({ id }) => id);
		return ids.every((id) => announced.includes(id));
	});
	hung.pause();
	const { findings } = await examined(redis.url);
	expect(findings).toContainEqual(found('node-hung', new RegExp(`Node ${ids[0]} is announced`), /Restart its process/));
	expect(JSON.stringify(findings)).not.toContain(ids[1]);
});
