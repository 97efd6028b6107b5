import type { InfoSessionManager, MaybePromise, SessionRecord } from '@holdfast/session-manager';
import { whenReady } from '@holdfast/session-manager/custom';
import { ErrorCode, type JsonRpcFailure, type JsonRpcRequest, type JsonRpcResponse } from '../protocol/json-rpc.js';
import type { Audiences } from './audiences.js';

/** The longest URI of a resource that can be subscribed to, in characters. */
const MAX_URI_LENGTH = 8_192;

/** What it takes to settle a subscription. */
export interface SubscriptionParts {
	readonly info: InfoSessionManager;
	readonly audiences: Audiences;
	readonly maxSubscriptions: number;
}

/**
 * Stores what `resources/subscribe` or `resources/unsubscribe` changes about a session. Returns the response to send:
 * the server's own, or an error where the subscription cannot be stored. A server may declare `resources.subscribe` and
 * handle neither method; then a success takes the place of its "method not found".
 */
export function settleSubscription(
	{ info, audiences, maxSubscriptions }: SubscriptionParts,
	record: SessionRecord,
	request: JsonRpcRequest,
	response: JsonRpcResponse,
): MaybePromise<JsonRpcResponse> {
	if ('error' in response && !(isUnhandled(response) && declaresSubscribe(record))) return response;
	const refuse = (code: number, message: string, data?: object) => refusal(request, code, message, data);
	const uri = request.params?.['uri'];
	// Lone surrogates are all the same once encoded, and so would be the resources.
	if (typeof uri !== 'string' || uri.length > MAX_URI_LENGTH || /\p{Surrogate}/u.test(uri)) {
		const message = `Invalid params: uri must be a string of at most ${MAX_URI_LENGTH} characters.`;
		return refuse(ErrorCode.INVALID_PARAMS, message);
	}
	const subscribes = request.method === 'resources/subscribe';
	const isAdmitted = subscribes ? audiences.of(uri, 'subscribe') : undefined;
	const stored = whenReady(isAdmitted?.(record.principal) ?? true, (admitted) => {
		if (!admitted) return 'not admitted';
		return subscribes ? subscribe(info, record.id, uri, maxSubscriptions) : info.removeSubscription(record.id, uri);
	});
	return whenReady<boolean | 'too many' | 'not admitted', JsonRpcResponse>(stored, (done) => {
		// As where there is no such resource: nobody is to learn which there are.
		if (done === 'not admitted') return refuse(ErrorCode.RESOURCE_NOT_FOUND, 'Resource not found', { uri });
		if (done === 'too many')
			return refuse(ErrorCode.REFUSED, `A session may be subscribed to ${maxSubscriptions} resources.`);
		return { jsonrpc: '2.0', id: request.id, result: 'result' in response ? response.result : {} };
	});
}

/** Returns an error response to `request`. */
export function refusal({ id }: JsonRpcRequest, code: number, message: string, data?: object): JsonRpcFailure {
	return { jsonrpc: '2.0', id, error: { code, message, ...(data && { data }) } };
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
