import type { MaybePromise } from '@holdfast/session-manager';
import type { SdkServer, SdkTransport } from '@holdfast/transport';
import type { JsonRpcNotification, JsonRpcRequest } from '@holdfast/transport/internal';

// What the types of this package say of its servers: they name no type of SDK v2, which need not be installed.

/** Makes the server of one request. */
export type CreateStatelessServer = (session: undefined) => MaybePromise<SdkServer>;

/** A request as its server meets it. */
export interface ServedCall extends SdkTransport {
	/** Whether nobody but the SDK has set its handlers. */
	readonly isUnwatched: boolean;
	/** Passes the message to the server, which is connected. */
	run(message: JsonRpcRequest | JsonRpcNotification): MaybePromise<void>;
}

/** A server as its call meets it. */
export interface CallServer {
	/** Makes it talk to the client of `call`. */
	serve(call: ServedCall): void;
	/** Whether an answered call has left nothing in it, and nobody wants to hear that it closes. */
	readonly holdsNothing: boolean;
	/** Lets it serve a request that is known to be one. Returns `false`, and does nothing, where somebody watches. */
	deliver(request: JsonRpcRequest, extra: unknown): boolean;
}
