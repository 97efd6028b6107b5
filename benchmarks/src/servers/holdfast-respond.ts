import type { RequestListener } from 'node:http';
import { HttpTransport } from '@holdfast/transport-http';
import { getRequestListener } from '@hono/node-server';
import { type CreateServer, unboundedSessions } from './holdfast.js';

/** Holdfast as a fetch handler on `node:http` through Hono's adapter. */
export function holdfastRespond(createServer: CreateServer): RequestListener {
	const transport = new HttpTransport(createServer, unboundedSessions());
	const respond = async (request: Request) => (await transport.respond(request)) ?? new Response(null, { status: 404 });
	return getRequestListener(respond, { overrideGlobalObjects: true });
}
