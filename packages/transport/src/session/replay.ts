import { randomBytes } from 'node:crypto';
import { lazy } from '@holdfast/session-manager/internal';
import type { JsonRpcRequest, JsonRpcResponse, RequestId } from '../protocol/json-rpc.js';
import type { Responder } from '../protocol/responder.js';
import type { MessageExtra } from '../protocol/sdk.js';
import type { LiveServer } from './live-server.js';

// Requests that a session passes to its live server itself: `initialize`, and what is replayed to a server made again.

/** The prefix of the ids of replayed requests; random, so that no client can use it. */
const replayPrefix = lazy(() => `holdfast:${randomBytes(9).toString('base64url')}:`);
let replays = 0;

/** Returns a new id for a replayed request. */
export function nextReplayId(): string {
	return `${replayPrefix()}${replays++}`;
}

/** Returns whether `id` is the id of a replayed request. */
export function isReplayId(id: RequestId): boolean {
	return String(id).startsWith(replayPrefix());
}

/**
 * Passes a request to a live server and resolves with its response. Other messages that the server sends for it are
 * dropped.
 */
export function ask(live: LiveServer, request: JsonRpcRequest, extra?: MessageExtra): Promise<JsonRpcResponse> {
	return new Promise((resolve) => {
		const responder: Responder = {
			// The client does not know of the session yet, or of the replay, so there is no stream for other messages.
			emit() {},
			respond: resolve,
			cancelled() {},
		};
		live.request(request, responder, extra);
	});
}
