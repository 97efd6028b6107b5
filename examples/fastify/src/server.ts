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

// Otherwise an unused connection would keep the server from closing.
export const app = Fastify({ forceCloseConnections: true });
app.register(mcpPlugin, { transport });
app.post('/echo', async (request) => request.body);

await app.listen({ port: Number(process.env.PORT ?? 3000), host: '127.0.0.1' });
