import { randomUUID } from 'node:crypto';
import type { RequestListener } from 'node:http';
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { statefulListener } from './stateful-listener.js';

/** The official SDK v1 as its documentation shows it: one transport and one server per session, responses as SSE. */
export function officialV1(createServer: () => McpServer): RequestListener {
	return statefulListener(async (transports) => {
		const transport = new StreamableHTTPServerTransport({
			sessionIdGenerator: randomUUID,
			onsessioninitialized: (id) => {
				transports.set(id, transport);
			},
			onsessionclosed: (id) => {
				transports.delete(id);
			},
		});
		// The types of the SDK conflict with each other under exactOptionalPropertyTypes.
		await createServer().connect(transport as Transport);
		return transport;
	});
}
