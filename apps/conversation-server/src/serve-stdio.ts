import type { McpServer } from '@modelcontextprotocol/server';
import { StdioServerTransport, serveStdio } from '@modelcontextprotocol/server/stdio';
import { makeServer, type Opened, report } from './conversation-server.js';
import type { ServerOptions } from './options.js';

/** Serves one client over stdio until it closes its end. */
export function serveOverStdio({ conversations, close }: Opened, options: ServerOptions): void {
	const subscribed = new Set<string>();
	let server: McpServer | undefined;
	let isModern = false;
	const transport = new StdioServerTransport();
	serveStdio(
		({ era }) => {
			server = makeServer(conversations, undefined, options);
			isModern = era === 'modern';
			if (!isModern) handleSubscriptions(server, subscribed);
			return server;
		},
		{ transport, onerror: report },
	);
	conversations.onchange = async ({ uris, listOf }) => {
		if (listOf?.includes(options.user)) server?.sendResourceListChanged();
		for (const uri of uris) {
			// Clients of 2026-07-28 said what they listen to; the SDK knows.
			if (isModern || subscribed.has(uri)) await server?.server.sendResourceUpdated({ uri });
		}
	};
	process.stdin.once('close', () => void close().catch(report));
}

/** No SDK server keeps subscriptions, and there is no transport here that does. */
function handleSubscriptions({ server }: McpServer, subscribed: Set<string>): void {
	server.setRequestHandler('resources/subscribe', ({ params }) => {
		subscribed.add(params.uri);
		return {};
	});
	server.setRequestHandler('resources/unsubscribe', ({ params }) => {
		subscribed.delete(params.uri);
		return {};
	});
}
