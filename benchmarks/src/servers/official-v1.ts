import { randomUUID } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { echoV1 } from './echo-v1.js';
import { statefulListener } from './stateful-listener.js';

/** The official SDK v1 as its documentation shows it: one transport and one server for each session, answers by SSE. */
export function officialV1(): RequestListener {
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
		await echoV1().connect(transport as Transport);
		return transport;
	});
}
