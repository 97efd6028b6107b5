import { HttpTransport, shutdown } from '@holdfast/transport-http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import express from 'express';

export const transport = new HttpTransport((session) => {
	const server = new McpServer({ name: 'express-example', version: '1.0.0' });
	server.registerTool('count', { description: 'Counts the calls of this session' }, async () => {
		const calls = await session.state.increment('calls');
		return { content: [{ type: 'text', text: `Call ${calls} of this session.` }] };
	});
	return server;
});

const app = express();
// Before any body parser: the transport reads the body itself, and checks its size before it parses.
app.all('/mcp', transport.handle);
app.use(express.json());
app.post('/echo', (request, response) => {
	response.json(request.body);
});

export const server = app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1');
// Reports not ready, and lets the balancer go; clients move to other nodes, calls end, and everything closes.
process.once('SIGTERM', () => shutdown(server, [transport]));
