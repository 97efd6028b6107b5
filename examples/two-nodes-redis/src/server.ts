// One node. Start any number of them with the same Redis: together they are one MCP server.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { redisSessionManager } from '@holdfast/session-manager-redis';
import { HttpTransport, shutdown } from '@holdfast/transport-http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';

const { PORT = '3001', REDIS_URL = 'redis://127.0.0.1:6379' } = process.env;

const sessionManager = redisSessionManager(REDIS_URL);

const transport = new HttpTransport(
	(session) => {
		const server = new McpServer(
			{ name: 'two-nodes', version: '1.0.0' },
			{ capabilities: { tools: { listChanged: true } } },
		);
		server.registerTool('count', { description: 'Counts the calls of this session' }, async () => {
			const calls = await session.state.increment('calls');
			return { content: [{ type: 'text', text: `${calls} on ${transport.nodeId}` }] };
		});
		server.registerTool('greet', { description: 'Asks for a name, and greets' }, async ({ requestId }) => {
			const { content } = await server.server.elicitInput(
				{
					message: 'What is your name?',
					requestedSchema: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] },
				},
				{ relatedRequestId: requestId },
			);
			return { content: [{ type: 'text', text: `Hello ${content?.['name']}` }] };
		});
		server.registerTool('announce', { description: 'Tells every session that the tools have changed' }, async () => {
			await transport.notify.toolsChanged();
			return { content: [] };
		});
		return server;
	},
	{ sessionManager, onerror: (error) => console.error(error.message) },
);

const server = createServer((request, response) => {
	if (request.url !== '/readyz') return transport.handle(request, response);
	transport.isReady().then((ready) => response.writeHead(ready ? 200 : 503).end());
});

server.listen(Number(PORT), '127.0.0.1', () => {
	console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`);
});

// Reports not ready, and lets the balancer go; clients move to the other node, calls end, and everything closes.
process.once('SIGTERM', () => shutdown(server, [transport]));
