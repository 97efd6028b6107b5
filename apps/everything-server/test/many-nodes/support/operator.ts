import { RedisInfoSessionManager, RedisStreamSessionManager } from '@holdfast/session-manager-redis';
import { HttpTransport, type HttpTransportOptions } from '@holdfast/transport-http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import type { Redis } from 'ioredis';
import { onTestFinished } from 'vitest';
import type { RedisServer } from '../../../../../test/support/redis/redis-server.ts';

/**
 * One more node, in this process, as an operator's own program has one: through it a test looks at sessions and handles
 * them.
 */
export interface Operator {
	readonly info: RedisInfoSessionManager;
	readonly transport: HttpTransport;
	readonly client: Redis;
}

/** Opens a node on `redis`, closed when the test is over. */
export function openOperator(redis: RedisServer, options: HttpTransportOptions = {}): Operator {
	const client = redis.client();
	const streams = new RedisStreamSessionManager(client);
	const info = new RedisInfoSessionManager(client);
	const transport = new HttpTransport(
		() => new McpServer({ name: 'operator', version: '1' }, { capabilities: { tools: {} } }),
		{
			...options,
			sessionManager: { streams, info },
		},
	);
	onTestFinished(async () => {
		await transport.close();
		await Promise.all([streams.close(), info.close()]);
	});
	return { info, transport, client };
}

/** Every key of a Redis and all that is under it, as text. */
export async function everythingIn(client: Redis): Promise<string> {
	const keys = await client.keys('*');
	const values = await Promise.all(keys.map((key) => contentsOf(client, key)));
	return JSON.stringify([keys, values]);
}

async function contentsOf(client: Redis, key: string): Promise<unknown> {
	const type = await client.type(key);
	switch (type) {
		case 'string':
			return client.get(key);
		case 'hash':
			return client.hgetall(key);
		case 'set':
			return client.smembers(key);
		case 'zset':
			return client.zrange(key, '0', '-1');
		case 'stream':
			return client.xrange(key, '-', '+');
		case 'list':
			return client.lrange(key, 0, -1);
		case 'none':
			return null;
		default:
			throw new Error(`A key of type ${type}.`);
	}
}
