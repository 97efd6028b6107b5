import type { MaybePromise } from '@holdfast/session-manager';
import type { JsonRpcRequest, JsonRpcResponse, RequestId } from './json-rpc.js';

/** Takes everything that a server sends for one or more requests of a client. */
export interface Responder {
	/** Sends a notification or a server→client request that relates to the request, as JSON. */
	emit(json: string): MaybePromise<void>;
	/** Sends the response, to `request` where that is known. Nothing may follow for its id. */
	respond(response: JsonRpcResponse, request?: JsonRpcRequest): MaybePromise<void>;
	/** Called when the client cancelled request `id`: there will be no response. */
	cancelled(id: RequestId): void;
}
