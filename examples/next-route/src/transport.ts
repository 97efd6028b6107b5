import { HttpTransport } from '@holdfast/transport-http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';

/** Where modules are loaded anew when they change, what was made first must stay: it holds the open streams. */
const kept = globalThis as { mcpTransport?: HttpTransport };

kept.mcpTransport ??= new HttpTransport((session) => {
	const server = new McpServer({ name: 'next-route-example', version: '1.0.0' });
	server.registerTool('count', { description: 'Counts the calls of this session' }, async () => {
		const calls = await session.state.increment('calls');
		return { content: [{ type: 'text', text: `Call ${calls} of this session.` }] };
	});
	return server;
});

export const transport = kept.mcpTransport;
