import { z } from 'zod';
import type { Conversations } from '../conversation/conversations.js';
import { type CallExtra, type Caller, personOf } from './caller.js';
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
		const id = conversationOf(uri);
		if (id !== undefined) await readable(uri, () => caller.of(extra).open(id));
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

/** Who may hear that a resource changes: a rule for `transport.notify.restrict`. */
export type AudienceOf = (
	uri: string,
	on: 'subscribe' | 'notice',
) => ((principal: string | undefined) => Promise<boolean>) | undefined;

/**
 * Returns the rule that only members hear of a conversation. That it was erased is heard by those who were let in
 * before: it has no members any more.
 */
export function membersOnly(conversations: Conversations, principal: string | undefined): AudienceOf {
	return (uri, on) => {
		const id = conversationOf(uri);
		if (id === undefined) return undefined;
		return async (signedIn) => {
			const person = principal ?? personOf(signedIn);
			if (person === undefined) return false;
			return (await conversations.mayRead(person, id)) ?? on === 'notice';
		};
	};
}

/** Returns the id of the conversation that a resource shows; `undefined` for a resource of something else. */
function conversationOf(uri: string): string | undefined {
	for (const { uriTemplate } of templates) {
		const id = uriTemplate.match(uri)?.['id'];
		if (id !== undefined) return id;
	}
	return undefined;
}
