import type { JsonRpcRequest, JsonRpcResponse } from '../protocol/json-rpc.js';
import type { Responder } from '../protocol/responder.js';
import type { MessageExtra } from '../protocol/sdk.js';
import type { LiveServer } from './live-server.js';

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
