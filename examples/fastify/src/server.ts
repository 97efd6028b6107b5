import { HttpTransport } from '@holdfast/transport-http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import Fastify from 'fastify';
import { mcpPlugin } from './mcp-plugin.js';

export const transport = new HttpTransport((session) => {
	const server = new McpServer({ name: 'fastify-example', version: '1.0.0' });
	server.registerTool('count', { description: 'Counts the calls of this session' }, async () => {
		const calls = await session.state.increment('calls');
		return { content: [{ type: 'text', text: `Call ${calls} of this session.` }] };
	});
	return server;
});

/** In development nobody has to notice first. */
const leaving = process.env.NODE_ENV === 'production' ? {} : { delayMs: 0, idleConnectionsMs: 0 };

export const app = Fastify();
app.register(mcpPlugin, { transport, leaving });
app.post('/echo', async (request) => request.body);

await app.listen({ port: Number(process.env.PORT ?? 3000), host: '127.0.0.1' });
// Closes the application, and so the transport: clients move to other nodes, and calls end.
process.once('SIGTERM', () => app.close());
