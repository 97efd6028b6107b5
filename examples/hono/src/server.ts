import type { Server } from 'node:http';
import { HttpTransport, shutdown } from '@holdfast/transport-http';
import { type HttpBindings, serve } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { Hono } from 'hono';

export const transport = new HttpTransport((session) => {
	const server = new McpServer({ name: 'hono-example', version: '1.0.0' });
	server.registerTool('count', { description: 'Counts the calls of this session' }, async () => {
		const calls = await session.state.increment('calls');
		return { content: [{ type: 'text', text: `Call ${calls} of this session.` }] };
	});
	return server;
});

const app = new Hono<{ Bindings: HttpBindings }>();
app.all('/mcp', async ({ env, req, notFound }) => {
	// On any runtime: fetch requests and responses.
	if (process.env.FETCH === 'true') return (await transport.respond(req.raw)) ?? notFound();
	// On Node.js, past them: a call costs less.
	transport.handle(env.incoming, env.outgoing);
	return RESPONSE_ALREADY_SENT;
});
app.post('/echo', async (context) => context.json(await context.req.json()));

export const server = serve({
	fetch: app.fetch,
	port: Number(process.env.PORT ?? 3000),
	hostname: '127.0.0.1',
});
// Reports not ready, and lets the balancer go; clients move to other nodes, calls end, and everything closes.
process.once('SIGTERM', () => shutdown(server as Server, [transport]));
