import type { RequestListener } from 'node:http';
import { RedisInfoSessionManager, RedisStreamSessionManager } from '@holdfast/session-manager-redis';
import { HttpTransport } from '@holdfast/transport-http';
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { z } from 'zod';
import { echoV1 } from './echo-v1.js';
import { unboundedSessions } from './holdfast.js';

/** Holdfast with tools that notify clients of changes, on the Redis of the environment, or in memory. */
export function echoNode(store: 'memory' | 'redis'): RequestListener {
	const options = store === 'memory' ? unboundedSessions() : redisManagers();
	const transport: HttpTransport = new HttpTransport(() => withNotices(echoV1(), () => transport), options);
	return transport.handle;
}

/** The managers on the Redis of the environment. */
export function redisManagers(): ConstructorParameters<typeof HttpTransport>[1] {
	const url = process.env['HOLDFAST_BENCH_REDIS'] ?? '';
	return {
		sessionManager: {
			streams: new RedisStreamSessionManager(url),
			info: new RedisInfoSessionManager(url, { maxSessions: 0 }),
		},
	};
}

function withNotices(server: McpServer, transport: () => HttpTransport): McpServer {
	server.registerTool('broadcast', { description: 'Tells every session' }, async () => {
		await transport().notify.toolsChanged();
		return { content: [] };
	});
	server.registerTool(
		'update',
		{ description: 'Tells subscribers', inputSchema: { uri: z.string() } },
		async ({ uri }) => {
			await transport().notify.resourceUpdated(uri);
			return { content: [] };
		},
	);
	return server;
}
