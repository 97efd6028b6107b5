import type { RequestListener } from 'node:http';
import { ZodJsonSchemaAdapter } from '@tmcp/adapter-zod';
import { InMemoryStreamSessionManager } from '@tmcp/session-manager';
import { HttpTransport } from '@tmcp/transport-http';
import { toNodeHandler } from 'srvx/node';
import { McpServer } from 'tmcp';
import { z } from 'zod';
import { echoResult, serverInfo, toolsChanged } from '../mcp-messages.js';
import type { BroadcastingListener } from './broadcasting-listener.js';

/** tmcp's HTTP transport with sessions in memory, on `node:http` through srvx. */
export function tmcp(): BroadcastingListener {
	const server = new McpServer(
		{ ...serverInfo, description: 'benchmark' },
		{ adapter: new ZodJsonSchemaAdapter(), capabilities: { tools: { listChanged: true }, logging: {} } },
	);
	server.tool({ name: 'echo', description: 'Echo', schema: z.object({ text: z.string() }) }, ({ text }) =>
		echoResult(text),
	);
	const streams = new InMemoryStreamSessionManager();
	const transport = new HttpTransport(server, {
		path: '/mcp',
		allowedOrigins: [],
		sessionManager: { streams },
	});
	const respond = async (request: Request) => (await transport.respond(request)) ?? new Response(null, { status: 404 });
	// srvx types its handler for HTTP/1 or HTTP/2; this server speaks HTTP/1.
	const listener = toNodeHandler(respond) as RequestListener;
	return Object.assign(listener, {
		broadcast: () => streams.send(undefined, `event: message\ndata: ${toolsChanged}\n\n`),
	});
}
