// Serves the route on a free port as Next.js does, talks to it as a client does, and fails when a response is wrong.
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { converse } from '@holdfast/example-conversation';
import { shutdown } from '@holdfast/transport-http';
import { serve } from '@hono/node-server';
import * as route from './app/mcp/route.js';
import { transport } from './transport.js';

type Handler = (request: Request, context: { params: Promise<object> }) => Promise<Response>;
/** Next.js calls the export that is named after the method, and answers itself where there is none. */
const handlers: Readonly<Record<string, Handler>> = {
	GET: route.GET,
	POST: route.POST,
	DELETE: route.DELETE,
	OPTIONS: route.OPTIONS,
};

const server = serve({
	fetch(request) {
		const handler = new URL(request.url).pathname === '/mcp' ? handlers[request.method] : undefined;
		return handler?.(request, { params: Promise.resolve({}) }) ?? new Response(null, { status: 405 });
	},
	port: 0,
	hostname: '127.0.0.1',
});
if (!server.listening) await once(server, 'listening');
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

await converse(`${origin}/mcp`, () => transport.notify.toolsChanged());

// Nobody else uses it: there is nothing to wait for.
await shutdown(server as Server, [transport], { delayMs: 0, idleConnectionsMs: 0 });
console.log('next-route: sessions hold through route handlers');
