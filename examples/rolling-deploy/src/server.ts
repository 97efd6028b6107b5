// One node of many. Sessions, streams and what was already sent are in PostgreSQL; on SIGTERM the node leaves, and
// nobody notices.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { postgresSessionManager } from '@holdfast/session-manager-postgres';
import { HttpTransport, shutdown } from '@holdfast/transport-http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';

const { PORT = '3001', DATABASE_URL = 'postgres://localhost/postgres', DRAIN_DELAY_MS = '2000' } = process.env;

const transport = new HttpTransport(
	(session) => {
		const server = new McpServer({ name: 'rolling-deploy', version: '1.0.0' }, { capabilities: { logging: {} } });
		const sent = session.state.marks('sent');
		server.registerTool('work', { description: 'Works for a while, and tells about it' }, async () => {
			await pause(100);
			const calls = await session.state.increment('calls');
			await server.server.sendLoggingMessage({ level: 'info', data: calls });
			// However often the nodes are replaced, each session hears this once.
			if (await sent.add('welcome')) {
				await server.server.sendLoggingMessage({ level: 'info', data: 'welcome' });
				// Marks are written within a second; the next call of this session may come to another node before that.
				await sent.flush();
			}
			return { content: [{ type: 'text', text: `${calls} on ${transport.nodeId}` }] };
		});
		return server;
	},
	{
		sessionManager: postgresSessionManager(DATABASE_URL),
		// A session belongs to who opened it; anybody else gets 403. In earnest: @holdfast/auth-jwt.
		authenticate({ header }) {
			const token = header('authorization')?.replace(/^Bearer /, '');
			if (token === undefined) return { status: 401, message: 'A token is needed.' };
			return { token, clientId: 'example', scopes: [], extra: { iss: 'https://issuer.example', sub: token } };
		},
		idleTtlMs: 30 * 60_000,
		absoluteTtlMs: 30 * 60_000,
		onerror: (error) => console.error(error.message),
	},
);

const server = createServer((request, response) => {
	if (request.url !== '/readyz') return transport.handle(request, response);
	transport.isReady().then((ready) => response.writeHead(ready ? 200 : 503).end());
});

server.listen(Number(PORT), '127.0.0.1', () => {
	console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`);
});

process.once('SIGTERM', () =>
	// Not ready from now on; after the delay, when the balancer knows, clients move and calls end. What waits to be
	// written is, such as marks; then everything closes, and the process ends with 0.
	shutdown(server, [transport], { delayMs: Number(DRAIN_DELAY_MS), timeoutMs: 25_000, spreadMs: 500 }),
);
