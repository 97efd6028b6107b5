import type { RequestListener } from 'node:http';
import { HttpTransport } from '@holdfast/transport-http';
import { getRequestListener, type HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { type CreateServer, unboundedSessions } from './holdfast.js';

/** Holdfast as a fetch handler on `node:http` through Hono's adapter. */
export function holdfastRespond(createServer: CreateServer): RequestListener {
	const transport = new HttpTransport(createServer, unboundedSessions());
	const respond = async (request: Request) => (await transport.respond(request)) ?? new Response(null, { status: 404 });
	return getRequestListener(respond, { overrideGlobalObjects: true });
}

/** The same adapter, past its fetch requests and responses. */
export function holdfastInHono(createServer: CreateServer): RequestListener {
	const transport = new HttpTransport(createServer, unboundedSessions());
	const handle = (_request: Request, env: unknown) => {
		const { incoming, outgoing } = env as HttpBindings;
		transport.handle(incoming, outgoing);
		return RESPONSE_ALREADY_SENT;
	};
	return getRequestListener(handle, { overrideGlobalObjects: true });
}
