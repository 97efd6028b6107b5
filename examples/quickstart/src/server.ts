import { createServer } from 'node:http';
import { HttpTransport } from '@holdfast/transport-http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';

export const transport = new HttpTransport((session) => {
	const server = new McpServer({ name: 'quickstart', version: '1.0.0' });
	server.registerTool('count', { description: 'Counts the calls of this session' }, async () => {
		const calls = await session.state.increment('calls');
		return { content: [{ type: 'text', text: `Call ${calls} of this session.` }] };
	});
	return server;
});

export const server = createServer(transport.handle).listen(Number(process.env.PORT ?? 3000), '127.0.0.1');
