import { Buffer } from 'node:buffer';
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { lazy } from '@holdfast/session-manager/internal';
import { isRequestId, type RequestId } from './json-rpc.js';

// Ids that name the node which made them: wire ids of server→client requests, and names of request streams.

/** Longer request ids are left out of stream names, because a stream's name is part of every event id. */
const MAX_REQUEST_ID_LENGTH = 64;

/** How many characters of a wire id prove that its node made it. */
const PROOF_LENGTH = 16;

/**
 * Makes wire ids: the ids of server→client requests on the wire. SDK servers number their requests from 0 in every
 * process; on the wire, an id must be unique in the session on whichever node, and must lead the response back to the
 * node that waits for it. Each carries a proof, made with a key that no other node has, that this one made it for that
 * session.
 */
export class WireIds {
	readonly #node: { readonly nodeId: string };
	readonly #key = lazy(() => randomBytes(32));
	#count = 0;

	constructor(node: { readonly nodeId: string }) {
		this.#node = node;
	}

	/** Returns an unused wire id for a request to the client of session `sessionId`. */
	next(sessionId: string): string {
		const id = `${this.#node.nodeId}:${(this.#count++).toString(36)}`;
		return `${id}:${this.#proof(id, sessionId)}`;
	}

	/** Returns whether this node made wire id `id` for session `sessionId`. */
	isOwn(id: string, sessionId: string): boolean {
		const end = id.length - PROOF_LENGTH;
		return id.slice(end) === this.#proof(id.slice(0, end - 1), sessionId);
	}

	#proof(id: string, sessionId: string): string {
		const hash = createHmac('sha256', this.#key()).update(`${id} ${sessionId}`);
		return hash.digest('base64url').slice(0, PROOF_LENGTH);
	}
}

/** Returns the node that a wire id names; `undefined` for an id that no node can have made. */
export function nodeOfWireId(id: unknown): string | undefined {
	if (typeof id !== 'string' || id.length > 96) return undefined;
	return /^([A-Za-z0-9_-]+):[a-z0-9]+:[A-Za-z0-9_-]{16}$/.exec(id)?.[1];
}

/**
 * The name of a request stream, as it appears in event ids. It names the node that runs the request, and the request's
 * id where the stream carries one request with a short id. From it, any node can tell a client that resumes what became
 * of its request. A digest binds it to its session, so that in another session it is no name.
 */
export interface RequestStreamName {
	readonly nodeId: string;
	readonly requestId: RequestId | undefined;
}

/** Returns the name of a request stream. The caller must never pass the same `count` twice on one node. */
export function formatStreamName(
	sessionId: string,
	nodeId: string,
	count: number,
	requestId: RequestId | undefined,
): string {
	const id = requestId === undefined ? '' : JSON.stringify(requestId);
	const suffix = id === '' || id.length > MAX_REQUEST_ID_LENGTH ? '' : `.${Buffer.from(id).toString('base64url')}`;
	const name = `${nodeId}.${count.toString(36)}${suffix}`;
	return `${digestOf(sessionId, name)}.${name}`;
}

/** Parses the name of a request stream; `undefined` when no node made it for this session. */
export function parseStreamName(sessionId: string, name: string): RequestStreamName | undefined {
	const match = /^([A-Za-z0-9_-]{11})\.(([A-Za-z0-9_-]+)\.[a-z0-9]+(?:\.([A-Za-z0-9_-]+))?)$/.exec(name);
	const [, digest, made = '', nodeId, encodedId] = match ?? [];
	if (nodeId === undefined || digest !== digestOf(sessionId, made)) return undefined;
	if (encodedId === undefined) return { nodeId, requestId: undefined };
	try {
		const requestId: unknown = JSON.parse(Buffer.from(encodedId, 'base64url').toString());
		return isRequestId(requestId) ? { nodeId, requestId } : undefined;
	} catch {
		return undefined;
	}
}

/** 64 bits that nobody finds for a session whose id they do not know. */
function digestOf(sessionId: string, name: string): string {
	return createHash('sha256').update(`${sessionId} ${name}`).digest().toString('base64url', 0, 8);
}
