import { randomUUID } from 'node:crypto';
import type { RequestListener } from 'node:http';
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { statefulListener } from './stateful-listener.js';

/** The official SDK v1 as its documentation shows it: one transport and one server for each session, answers by SSE. */
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
		// The SDK's own types disagree under exactOptionalPropertyTypes.
		await createServer().connect(transport as Transport);
		return transport;
	});
}
