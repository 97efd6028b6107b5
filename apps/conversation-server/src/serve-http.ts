import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { jwtAuthenticator } from '@holdfast/auth-jwt';
import { notifySubscribers } from '@holdfast/conversations/mcp';
import { type PostgresSessionManager, postgresSessionManager } from '@holdfast/session-manager-postgres';
import { type SqliteSessionManager, sqliteSessionManager } from '@holdfast/session-manager-sqlite';
import { HttpTransport, shutdown } from '@holdfast/transport-http';
import { makeServer, openConversations, report } from './conversation-server.js';
import type { ServerOptions } from './options.js';
import { kindOf } from './share-key.js';

/** How long an idle connection stays open, in milliseconds: balancers must let go of it before, and not by a second. */
const KEEP_ALIVE_MS = 65_000;

/**
 * Serves Streamable HTTP until a signal ends it, so that no call fails; a second signal cuts that short. Resolves with
 * its URL once it listens.
 */
export async function serveOverHttp(options: ServerOptions): Promise<string> {
	const { host, allowedHosts, jwt } = options;
	const shown = host.includes(':') ? `[${host}]` : host;
	const sessionManager = sessionManagerOf(options.store);
	const transport: HttpTransport = new HttpTransport((session) => makeServer(conversations, session, options), {
		stateless: {},
		...(sessionManager && { sessionManager }),
		allowedHosts: ['localhost', '127.0.0.1', '[::1]', shown, ...allowedHosts],
		...(jwt !== undefined && { authenticate: jwtAuthenticator(jwt) }),
		onerror: report,
	});
	const closeSessions = async () => {
		await transport.close();
		await sessionManager?.close();
	};
	const { conversations, close } = await openConversations(options, transport.principals).catch(async (error) => {
		await closeSessions();
		throw error;
	});
	notifySubscribers(conversations, transport.notify, jwt === undefined ? { principal: options.user } : {});
	const closeAll = async () => {
		await closeSessions();
		await close();
	};
	const server = createServer((request, response) => {
		const path = request.url?.split('?', 1)[0];
		if (path === '/healthz') sendHealth(request, response, 200, { status: 'ok' });
		else if (path === '/readyz') void sendReadiness(request, response, transport);
		else transport.handle(request, response);
	}).listen(options.port, host);
	server.keepAliveTimeout = KEEP_ALIVE_MS;
	try {
		await once(server, 'listening');
	} catch (error) {
		await closeAll();
		throw error;
	}
	const atOnce = new AbortController();
	let stopping: Promise<void> | undefined;
	const stop = () => {
		if (stopping !== undefined) return atOnce.abort();
		// It closes the transport and the sessions, too.
		stopping = shutdown(server, [transport], { delayMs: options.drainDelayMs, signal: atOnce.signal }).then(close);
		stopping.catch(report);
	};
	for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop);
	return `http://${shown}:${(server.address() as AddressInfo).port}/mcp`;
}

/** Sessions are kept with the conversations where other servers can reach them; `undefined`: in this process. */
function sessionManagerOf(store: string): PostgresSessionManager | SqliteSessionManager | undefined {
	switch (kindOf(store)) {
		case 'postgres':
			return postgresSessionManager(store);
		case 'sqlite':
			return sqliteSessionManager(store);
		default:
			return undefined;
	}
}

async function sendReadiness(
	request: IncomingMessage,
	response: ServerResponse,
	transport: HttpTransport,
): Promise<void> {
	const ready = await transport.isReady();
	sendHealth(request, response, ready ? 200 : 503, { ready });
}

function sendHealth(request: IncomingMessage, response: ServerResponse, status: number, body: object): void {
	if (request.method !== 'GET' && request.method !== 'HEAD') {
		response.writeHead(405, { Allow: 'GET, HEAD' }).end();
		return;
	}
	response.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
	response.end(request.method === 'HEAD' ? undefined : JSON.stringify(body));
}
