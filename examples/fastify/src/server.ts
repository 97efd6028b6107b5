import { HttpTransport } from '@holdfast/transport-http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import Fastify from 'fastify';

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
app.register(async (scope) => {
	// In this scope Fastify does not read the body: the transport does, and checks its size before it parses.
	scope.removeAllContentTypeParsers();
	scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
	scope.all('/mcp', (request, reply) => {
		reply.hijack();
		transport.handle(request.raw, reply.raw);
	});
});
app.post('/echo', async (request) => request.body);
// Closes the open streams before Fastify closes the connections.
app.addHook('preClose', () => transport.close());

await app.listen({ port: Number(process.env.PORT ?? 3000), host: '127.0.0.1' });
