import type { RequestListener, ServerResponse } from 'node:http';
import { HttpTransport } from '@holdfast/transport-http';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler } from '@modelcontextprotocol/server';
import { toolsChanged } from '../mcp-messages.js';
import type { BroadcastingListener } from './broadcasting-listener.js';
import { echoV1 } from './echo-v1.js';
import { echoV2 } from './echo-v2.js';
import { type StoreName, transportOn } from './managers.js';
import { officialV1 } from './official-v1.js';
import { officialV2 } from './official-v2.js';

/**
 * The limit of the machine: every stream gets the same bytes, without an event id. `response` writes them as
 * `node:http` does, `socket` writes whole chunks straight to the connection.
 */
export function rawStreams(way: 'response' | 'socket'): BroadcastingListener {
	const open: ServerResponse[] = [];
	const event = Buffer.from(`event: message\ndata: ${toolsChanged}\n\n`);
	const frame = Buffer.from(`${event.byteLength.toString(16)}\r\n${event}\r\n`);
	const headers = { 'content-type': 'text/event-stream', 'cache-control': 'no-cache', 'mcp-session-id': 'raw' };
	const listener: RequestListener = (request, response) => {
		if (request.method !== 'GET') {
			request.on('end', () => response.writeHead(200, { 'mcp-session-id': 'raw' }).end('{}')).resume();
			return;
		}
		response.writeHead(200, headers).write(': connected\n\n');
		open.push(response);
	};
	const broadcast = () => {
		if (way === 'response') for (const response of open) response.write(event);
		else for (const { socket } of open) socket?.write(frame);
	};
	return Object.assign(listener, { broadcast });
}

/** Holdfast with its sessions in a store. */
export async function holdfastStreams(store: StoreName): Promise<BroadcastingListener> {
	const transport = new HttpTransport(echoV1, await transportOn(store));
	return Object.assign(transport.handle, { broadcast: () => transport.notify.toolsChanged() });
}

/** Holdfast with listen streams instead of sessions. */
export async function listenStreams(store: StoreName): Promise<BroadcastingListener> {
	const transport = new HttpTransport(echoV2, { ...(await transportOn(store, { cluster: 'listen' })), stateless: {} });
	return Object.assign(transport.handle, { broadcast: () => transport.notify.toolsChanged() });
}

/** The official SDK v2 with listen streams. */
export function officialListenStreams(): BroadcastingListener {
	const handler = createMcpHandler(echoV2, { legacy: 'reject', maxSubscriptions: 1_000_000 });
	const listener = toNodeHandler(handler) as RequestListener;
	return Object.assign(listener, { broadcast: () => handler.notify.toolsChanged() });
}

/** The official SDK v1: a notification from the server of each session. */
export function officialStreams(): BroadcastingListener {
	return ofEachSession(echoV1, officialV1);
}

/** The official SDK v2 in the same way. */
export function officialStreamsV2(): BroadcastingListener {
	return ofEachSession(echoV2, officialV2);
}

function ofEachSession<Server extends { sendToolListChanged(): unknown }>(
	createServer: () => Server,
	listenerOf: (create: () => Server) => RequestListener,
): BroadcastingListener {
	const servers: Server[] = [];
	const listener = listenerOf(() => {
		const server = createServer();
		servers.push(server);
		return server;
	});
	return Object.assign(listener, {
		broadcast: () => {
			for (const server of servers) server.sendToolListChanged();
		},
	});
}
