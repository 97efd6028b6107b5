import type { RequestListener } from 'node:http';
import { HttpTransport } from '@holdfast/transport-http';
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { z } from 'zod';
import { echoV1 } from './echo-v1.js';
import { type StoreName, transportOn } from './managers.js';

/** Holdfast with tools that notify clients of changes. */
export async function echoNode(store: StoreName): Promise<RequestListener> {
	const options = await transportOn(store);
	const transport: HttpTransport = new HttpTransport(() => withNotices(echoV1(), () => transport), options);
	return transport.handle;
}

function withNotices(server: McpServer, transport: () => HttpTransport): McpServer {
	server.registerTool('broadcast', { description: 'Tells every session' }, async () => {
		await transport().notify.toolsChanged();
		return { content: [] };
	});
	server.registerTool(
		'update',
		{ description: 'Tells subscribers', inputSchema: { uri: z.string() } },
		async ({ uri }) => {
			await transport().notify.resourceUpdated(uri);
			return { content: [] };
		},
	);
	return server;
}
