import * as v from 'valibot';
import { type JsonRpcMessage, readMessage } from '../protocol/json-rpc.js';

/** What nodes tell each other. */
export type ClusterMessage =
	/** The sender is alive and hears the others; `isNew`: it does not know yet who else is there. */
	| { readonly type: 'beat'; readonly number: number; readonly isNew: boolean }
	/** The sender is leaving. */
	| { readonly type: 'bye' }
	/** The reply to message `to` of the node that hears this. */
	| { readonly type: 'reply'; readonly to: number; readonly value: Reply }
	/** A client's message for whoever waits for it or runs what it cancels. Reply: whether somebody did. */
	| { readonly type: 'client-message'; readonly sessionId: string; readonly message: JsonRpcMessage }
	/** Does somebody wait for a client's message about this server→client request? Asked before a large one is sent. */
	| { readonly type: 'is-waiting'; readonly sessionId: string; readonly wireId: string }
	/** The stored session changed; what was cached of it is old. */
	| { readonly type: 'session-changed'; readonly sessionId: string }
	/** The session has ended. */
	| { readonly type: 'session-ended'; readonly sessionId: string; readonly reason: string }
	/** The session was suspended: what is held of it and not in use is to be freed, open connections too or not. */
	| { readonly type: 'session-suspended'; readonly sessionId: string; readonly connectionsToo: boolean }
	/**
	 * Clients wait at these request streams. Reply: those to which the node that hears this does not, or no longer,
	 * write.
	 */
	| { readonly type: 'streams-watched'; readonly streamIds: readonly string[] }
	/** Responses for the streams of HTTP+SSE sessions may be lost: whoever sent some lately is to send them again. */
	| { readonly type: 'responses-lost'; readonly sessionIds: readonly string[] }
	/**
	 * The stream of an HTTP+SSE session is about to be closed. Reply: whether the node that hears this runs nothing for
	 * the session; then it lets nothing begin until `stream-left`.
	 */
	| { readonly type: 'stream-leaving'; readonly sessionId: string }
	/** The stream was closed, or was not after all. */
	| { readonly type: 'stream-left'; readonly sessionId: string; readonly left: boolean }
	/** A record that is no session changed, such as a task. */
	| { readonly type: 'record-changed'; readonly recordId: string }
	/** The connection of a stream is to be closed, so that its client comes back later. */
	| { readonly type: 'close-connection'; readonly streamId: string };

/** What a node replies to a message. */
export type Reply = boolean | readonly string[];

/** A message on its way: who sent it, and under which number it asks for a reply. */
export type Envelope = ClusterMessage & { readonly from: string; readonly ask?: number | undefined };

const common = { from: v.string(), ask: v.optional(v.number()) };

const message = v.pipe(
	v.unknown(),
	v.rawTransform(({ dataset, addIssue, NEVER }) => {
		const read = readMessage(dataset.value);
		if (read !== undefined) return read;
		addIssue({ message: 'not a JSON-RPC message' });
		return NEVER;
	}),
);

const schema = v.variant('type', [
	v.object({ ...common, type: v.literal('beat'), number: v.number(), isNew: v.boolean() }),
	v.object({ ...common, type: v.literal('bye') }),
	v.object({
		...common,
		type: v.literal('reply'),
		to: v.number(),
		value: v.union([v.boolean(), v.array(v.string())]),
	}),
	v.object({ ...common, type: v.literal('client-message'), sessionId: v.string(), message }),
	v.object({ ...common, type: v.literal('is-waiting'), sessionId: v.string(), wireId: v.string() }),
	v.object({ ...common, type: v.literal('session-changed'), sessionId: v.string() }),
	v.object({ ...common, type: v.literal('session-ended'), sessionId: v.string(), reason: v.string() }),
	v.object({
		...common,
		type: v.literal('session-suspended'),
		sessionId: v.string(),
		connectionsToo: v.boolean(),
	}),
	v.object({ ...common, type: v.literal('streams-watched'), streamIds: v.array(v.string()) }),
	v.object({ ...common, type: v.literal('responses-lost'), sessionIds: v.array(v.string()) }),
	v.object({ ...common, type: v.literal('stream-leaving'), sessionId: v.string() }),
	v.object({ ...common, type: v.literal('stream-left'), sessionId: v.string(), left: v.boolean() }),
	v.object({ ...common, type: v.literal('record-changed'), recordId: v.string() }),
	v.object({ ...common, type: v.literal('close-connection'), streamId: v.string() }),
]);

const head = 'event: holdfast\ndata: ';

/** Writes a message as an SSE event, as every other thing that a manager carries. */
export function formatEnvelope(envelope: Envelope): string {
	return `${head}${JSON.stringify(envelope)}\n\n`;
}

/** Reads an event; `undefined` for one that is no message between nodes. Throws where it is one and cannot be read. */
export function parseEnvelope(event: string): Envelope | undefined {
	return event.startsWith(head) ? v.parse(schema, JSON.parse(event.slice(head.length))) : undefined;
}
