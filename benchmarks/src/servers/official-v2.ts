import { randomUUID } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { NodeStreamableHTTPServerTransport } from '@modelcontextprotocol/node';
import type { McpServer } from '@modelcontextprotocol/server';
import { echoV2 } from './echo-v2.js';
import { statefulListener } from './stateful-listener.js';

/** The official SDK v2 as its documentation shows it: one transport and one server per session, responses as SSE. */
export function officialV2(createServer: () => McpServer = echoV2): RequestListener {
	return statefulListener(async (transports) => {
		const transport = new NodeStreamableHTTPServerTransport({
			sessionIdGenerator: randomUUID,
			onsessioninitialized: (id) => {
				transports.set(id, transport);
			},
			onsessionclosed: (id) => {
				transports.delete(id);
			},
		});
		await createServer().connect(transport);
		return transport;
	});
}
