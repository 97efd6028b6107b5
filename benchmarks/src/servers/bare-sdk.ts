import { randomUUID } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import type { JSONRPCMessage, RequestId } from '@modelcontextprotocol/sdk/types.js';
import type { McpServer as McpServerV2 } from '@modelcontextprotocol/server';

/**
 * The minimal cost of an SDK over HTTP: JSON in, the SDK's own dispatch, JSON out, and a map of sessions. It has no
 * checks, no limits and no streaming.
 */
export function bareSdk(createServer: () => McpServer | McpServerV2): RequestListener {
	const sessions = new Map<string, BareTransport>();
	return (request, response) => {
		if (request.method === 'DELETE') {
			sessions.delete(String(request.headers['mcp-session-id']));
			response.writeHead(200, { 'content-length': 0 }).end();
			return;
		}
		readBody(request, async (message) => {
			let session = sessions.get(String(request.headers['mcp-session-id']));
			if (session === undefined) {
				session = new BareTransport();
				sessions.set(session.sessionId, session);
				// The types of the SDK conflict with each other under exactOptionalPropertyTypes.
				await createServer().connect(session as Transport);
			}
			session.receive(message, response);
		});
	};
}

class BareTransport implements Transport {
	readonly sessionId = randomUUID();
	onmessage?: NonNullable<Transport['onmessage']>;
	readonly #waiting = new Map<RequestId, ServerResponse>();

	async start(): Promise<void> {}

	async close(): Promise<void> {}

	receive(message: JSONRPCMessage, response: ServerResponse): void {
		if ('id' in message && message.id !== undefined) this.#waiting.set(message.id, response);
		else response.writeHead(202, { 'content-length': 0, 'mcp-session-id': this.sessionId }).end();
		this.onmessage?.(message);
	}

	async send(message: JSONRPCMessage): Promise<void> {
		if (!('id' in message) || message.id === undefined) return;
		const response = this.#waiting.get(message.id);
		this.#waiting.delete(message.id);
		const json = JSON.stringify(message);
		response
			?.writeHead(200, {
				'content-type': 'application/json',
				'content-length': Buffer.byteLength(json),
				'mcp-session-id': this.sessionId,
			})
			.end(json);
	}
}

function readBody(request: IncomingMessage, done: (message: JSONRPCMessage) => void): void {
	const chunks: Buffer[] = [];
	request.on('data', (chunk: Buffer) => chunks.push(chunk));
	request.on('end', () => done(JSON.parse(Buffer.concat(chunks).toString())));
}
