import type { MaybePromise } from '@holdfast/session-manager';
import type { JsonRpcResponse, RequestId } from './json-rpc.js';

/** Where everything goes that belongs to a client's request. */
export interface Responder {
	/** A notification or a server→client request that relates to the request, as JSON. */
	emit(json: string): MaybePromise<void>;
	/** The response. Nothing follows for its id. */
	respond(response: JsonRpcResponse): MaybePromise<void>;
	/** The client cancelled: there will be no response. */
	cancelled(id: RequestId): void;
}
