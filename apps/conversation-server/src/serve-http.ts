import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { jwtAuthenticator } from '@holdfast/auth-jwt';
import { notifySubscribers } from '@holdfast/conversations/mcp';
import { type PostgresSessionManager, postgresSessionManager } from '@holdfast/session-manager-postgres';
import { type SqliteSessionManager, sqliteSessionManager } from '@holdfast/session-manager-sqlite';
import { HttpTransport } from '@holdfast/transport-http';
import { makeServer, openConversations, report } from './conversation-server.js';
import type { ServerOptions } from './options.js';
import { kindOf } from './share-key.js';

/** Serves Streamable HTTP until a signal ends it. Resolves with its URL once it listens. */
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
	notifySubscribers(conversations, transport.notify, { ...(jwt === undefined && { principal: options.user }) });
	const closeAll = async () => {
		await closeSessions();
		await close();
	};
	const server = createServer(transport.handle).listen(options.port, host);
	try {
		await once(server, 'listening');
	} catch (error) {
		await closeAll();
		throw error;
	}
	const stop = async () => {
		await transport.drain({ delayMs: 0, timeoutMs: 5_000 });
		server.close();
		server.closeAllConnections();
		await closeAll();
	};
	for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stop().catch(report));
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
