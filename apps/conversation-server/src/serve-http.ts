import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { jwtAuthenticator } from '@holdfast/auth-jwt';
import { notifySubscribers } from '@holdfast/conversations/mcp';
import { HttpTransport } from '@holdfast/transport-http';
import { makeServer, type Opened, report } from './conversation-server.js';
import type { ServerOptions } from './options.js';

/** Serves Streamable HTTP until a signal ends it. Resolves with its URL once it listens. */
export async function serveOverHttp({ conversations, close }: Opened, options: ServerOptions): Promise<string> {
	const { host, allowedHosts, jwt } = options;
	const shown = host.includes(':') ? `[${host}]` : host;
	const transport = new HttpTransport((session) => makeServer(conversations, session, options), {
		stateless: {},
		allowedHosts: ['localhost', '127.0.0.1', '[::1]', shown, ...allowedHosts],
		...(jwt !== undefined && { authenticate: jwtAuthenticator(jwt) }),
		onerror: report,
	});
	notifySubscribers(conversations, transport.notify);
	const server = createServer(transport.handle).listen(options.port, host);
	await once(server, 'listening');
	const stop = async () => {
		await transport.drain({ delayMs: 0, timeoutMs: 5_000 });
		server.close();
		server.closeAllConnections();
		await close();
	};
	for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stop().catch(report));
	return `http://${shown}:${(server.address() as AddressInfo).port}/mcp`;
}
