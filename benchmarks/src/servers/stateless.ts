import type { RequestListener } from 'node:http';
import { HttpTransport, type StatelessOptions } from '@holdfast/transport-http';
import { getRequestListener } from '@hono/node-server';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler } from '@modelcontextprotocol/server';
import { echoV2 } from './echo-v2.js';

/** 2026-07-28 as the documentation of the official SDK v2 shows it. */
export function sdkStateless(): RequestListener {
	// Its types leave out that `node:http` may know no method.
	return toNodeHandler(createMcpHandler(echoV2, { legacy: 'reject' })) as RequestListener;
}

/** The same beside sessions. */
export function holdfastStateless(stateless: StatelessOptions): RequestListener {
	return new HttpTransport(echoV2, { stateless }).handle;
}

/** The same as a fetch handler on `node:http` through Hono's adapter. */
export function holdfastStatelessRespond(): RequestListener {
	const transport = new HttpTransport(echoV2, { stateless: {} });
	return getRequestListener(transport.fetch, { overrideGlobalObjects: true });
}
