import type { InfoSessionManager, MaybePromise, SessionRecord } from '@holdfast/session-manager';
import { whenReady } from '@holdfast/session-manager/custom';
import { ErrorCode, type JsonRpcFailure, type JsonRpcRequest, type JsonRpcResponse } from '../protocol/json-rpc.js';

/** The longest URI of a resource that can be subscribed to, in characters. */
const MAX_URI_LENGTH = 8_192;

/**
 * Stores what `resources/subscribe` or `resources/unsubscribe` changes about a session. Returns the response to send:
 * the server's own, or an error where the subscription cannot be stored. A server may declare `resources.subscribe` and
 * handle neither method; then a success takes the place of its "method not found".
 */
export function settleSubscription(
	info: InfoSessionManager,
	record: SessionRecord,
	request: JsonRpcRequest,
	response: JsonRpcResponse,
	maxSubscriptions: number,
): MaybePromise<JsonRpcResponse> {
	if ('error' in response && !(isUnhandled(response) && declaresSubscribe(record))) return response;
	const refuse = (code: number, message: string) => refusal(request, code, message);
	const uri = request.params?.['uri'];
	// Lone surrogates are all the same once encoded, and so would be the resources.
	if (typeof uri !== 'string' || uri.length > MAX_URI_LENGTH || /\p{Surrogate}/u.test(uri)) {
		const message = `Invalid params: uri must be a string of at most ${MAX_URI_LENGTH} characters.`;
		return refuse(ErrorCode.INVALID_PARAMS, message);
	}
	const stored =
		request.method === 'resources/subscribe'
			? subscribe(info, record.id, uri, maxSubscriptions)
			: info.removeSubscription(record.id, uri);
	return whenReady<boolean | 'too many', JsonRpcResponse>(stored, (done) => {
		if (done === 'too many')
			return refuse(ErrorCode.REFUSED, `A session may be subscribed to ${maxSubscriptions} resources.`);
		return { jsonrpc: '2.0', id: request.id, result: 'result' in response ? response.result : {} };
	});
}

/** Returns an error response to `request`. */
export function refusal({ id }: JsonRpcRequest, code: number, message: string): JsonRpcFailure {
	return { jsonrpc: '2.0', id, error: { code, message } };
}

/** The limit keeps a client from filling the store. Simultaneous requests on several nodes may exceed it by a few. */
function subscribe(
	info: InfoSessionManager,
	sessionId: string,
	uri: string,
	maxSubscriptions: number,
): MaybePromise<boolean | 'too many'> {
	return whenReady<string[], boolean | 'too many'>(info.getSubscribedUris(sessionId), (uris) =>
		uris.length < maxSubscriptions || uris.includes(uri) ? info.addSubscription(sessionId, uri) : 'too many',
	);
}

function isUnhandled({ error }: JsonRpcFailure): boolean {
	return error.code === ErrorCode.METHOD_NOT_FOUND;
}

function declaresSubscribe({ serverCapabilities }: SessionRecord): boolean {
	const resources = serverCapabilities['resources'];
	return (
		typeof resources === 'object' && resources !== null && 'subscribe' in resources && resources.subscribe === true
	);
}
