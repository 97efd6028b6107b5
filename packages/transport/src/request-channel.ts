import type { MaybePromise } from '@holdfast/session-manager';
import type { JsonRpcFailure, JsonRpcResult, RequestId } from './json-rpc.js';

/** Where everything goes that belongs to a client's request. */
export interface RequestChannel {
	/** A notification or a server→client request that relates to the request, as JSON. */
	emit(json: string): MaybePromise<void>;
	/** The answer. Nothing follows for its id. */
	respond(answer: JsonRpcResult | JsonRpcFailure): MaybePromise<void>;
	/** The client cancelled: there will be no answer. */
	cancelled(id: RequestId): void;
}
