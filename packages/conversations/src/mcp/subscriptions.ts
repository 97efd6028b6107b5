import { z } from 'zod';
import type { CallExtra, Caller } from './caller.js';
import { readable, templates } from './resources.js';

/** What is asked of the `Server` in an `McpServer` of SDK v1 or v2. */
export interface SubscriptionServer {
	assertCanSetRequestHandler(method: string): void;
	setRequestHandler(method: never, handler: never): unknown;
}

const METHOD = 'resources/subscribe';

/**
 * Refuses to subscribe to a conversation that the caller may not read. Everything else about subscriptions is left to
 * whoever keeps them; where the server handles them already, all of it.
 */
export function checkSubscriptions(server: SubscriptionServer, caller: Caller): void {
	try {
		server.assertCanSetRequestHandler(METHOD);
	} catch {
		return;
	}
	const check = async ({ params: { uri } }: { params: { uri: string } }, extra: CallExtra) => {
		for (const { uriTemplate } of templates) {
			const id = uriTemplate.match(uri)?.['id'];
			if (id !== undefined) await readable(uri, () => caller.of(extra).open(id));
		}
		// As if nobody had been asked: the transport keeps subscriptions in the name of a server that declares them.
		throw Object.assign(new Error('Method not found'), { code: -32601 });
	};
	try {
		server.setRequestHandler(METHOD as never, check as never);
	} catch {
		// SDK v1 asks for a schema in place of the name.
		const schema = z.object({ method: z.literal(METHOD), params: z.looseObject({ uri: z.string() }) });
		server.setRequestHandler(schema as never, check as never);
	}
}
