import type { RequestListener } from 'node:http';
import { HttpTransport } from '@holdfast/transport-http';
import { getRequestListener } from '@hono/node-server';
import type { CreateServer } from './holdfast.js';

/** Holdfast as a fetch handler, with no options, on `node:http` through Hono's adapter. */
export function holdfastRespond(createServer: CreateServer): RequestListener {
	const transport = new HttpTransport(createServer);
	const respond = async (request: Request) => (await transport.respond(request)) ?? new Response(null, { status: 404 });
	return getRequestListener(respond, { overrideGlobalObjects: true });
}
