// A node as the README tells to write it: Redis with a client of its own, and shutdown on SIGTERM.
import { createServer } from 'node:http';
import { RedisInfoSessionManager, RedisStreamSessionManager } from '@holdfast/session-manager-redis';
import { HttpTransport, shutdown } from '@holdfast/transport-http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { Redis } from 'ioredis';

const { REDIS_URL = 'redis://127.0.0.1:6379' } = process.env;
const redis = new Redis(REDIS_URL);
const transport = new HttpTransport(() => new McpServer({ name: 'readme', version: '1.0.0' }), {
	sessionManager: { streams: new RedisStreamSessionManager(redis), info: new RedisInfoSessionManager(redis) },
});
const server = createServer(transport.handle).listen(0, '127.0.0.1', () => {
	console.log(`http://127.0.0.1:${server.address().port}/mcp`);
});
process.once('SIGTERM', async () => {
	await shutdown(server, [transport]);
	redis.disconnect();
});
