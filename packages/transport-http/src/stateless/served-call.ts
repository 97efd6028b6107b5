import type { MaybePromise } from '@holdfast/session-manager';
import type { SdkServer, SdkTransport } from '@holdfast/transport';
import type { JsonRpcNotification, JsonRpcRequest, ServerInlet } from '@holdfast/transport/internal';

// What the types of this package say of its servers: they name no type of SDK v2, which need not be installed.

/** Makes the server of one request. */
export type CreateStatelessServer = (session: undefined) => MaybePromise<SdkServer>;

/** A request as its server meets it. */
export interface ServedCall extends SdkTransport {
	/** Passes the message to the server, which is connected. */
	run(message: JsonRpcRequest | JsonRpcNotification): MaybePromise<void>;
}

/** A server as its call meets it. */
export interface CallServer {
	/** Makes it talk to the client of `call`. */
	serve(call: ServedCall): void;
	/** What the function that makes servers returned. */
	readonly product: SdkServer;
	/** Returns whether the answered `call` has left nothing in it, and nobody wants to hear that it closes. */
	holdsNothing(call: ServerInlet): boolean;
}
