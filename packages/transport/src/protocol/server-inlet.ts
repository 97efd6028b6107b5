import { HandlerEnds } from './handler-ends.js';
import type { JsonRpcMessage, JsonRpcNotification, JsonRpcRequest, RequestId } from './json-rpc.js';
import type { MessageExtra, SdkServer } from './sdk.js';

/** What of an SDK server takes in messages, once the SDK has recognised them. */
interface Receiver {
	readonly transport?: unknown;
	readonly _onrequest?: (request: JsonRpcRequest, extra?: MessageExtra) => void;
	readonly _onnotification?: (notification: JsonRpcNotification, extra?: MessageExtra) => void;
	/** What aborts the handlers that run: each is there until it has ended, also when it was aborted long before. */
	_requestHandlerAbortControllers?: Map<RequestId, unknown>;
}

/**
 * The side of the SDK's `Transport` on which its server hears. To recognise what `onmessage` is given, the SDK parses
 * each message with the schemas of all kinds in turn, which takes a sixth of a whole call. Messages here are known
 * already, so they go to the method that the SDK would call next, unless somebody else has set these handlers, to watch
 * what passes.
 */
export abstract class ServerInlet {
	onerror: ((error: Error) => void) | undefined;
	#onclose: (() => void) | undefined;
	#onmessage: ((message: JsonRpcMessage, extra?: MessageExtra) => void) | undefined;
	/** How often these two were set; the SDK does it once each. */
	#timesSet = 0;

	get onclose(): (() => void) | undefined {
		return this.#onclose;
	}

	set onclose(onclose: (() => void) | undefined) {
		this.#timesSet++;
		this.#onclose = onclose;
	}

	get onmessage(): ((message: JsonRpcMessage, extra?: MessageExtra) => void) | undefined {
		return this.#onmessage;
	}

	set onmessage(onmessage: ((message: JsonRpcMessage, extra?: MessageExtra) => void) | undefined) {
		this.#timesSet++;
		this.#onmessage = onmessage;
	}

	/** Returns whether `server` is connected here, and nobody but the SDK is told of what passes. */
	isUnwatched(server: SdkServer | undefined): boolean {
		return this.#timesSet === 2 && server !== undefined && receiverOf(server).transport === this;
	}

	/** Passes a valid request to the server. */
	protected passRequest(server: SdkServer | undefined, request: JsonRpcRequest, extra?: MessageExtra): void {
		const receiver = server !== undefined && this.isUnwatched(server) ? receiverOf(server) : undefined;
		if (receiver?._onrequest !== undefined) receiver._onrequest(request, extra);
		else this.#onmessage?.(request, extra);
	}

	/**
	 * Calls `listener` once the handler of request `id` has ended in the server, however long ago the request was
	 * cancelled. Returns `false` where none runs.
	 */
	protected onHandlerEnd(server: SdkServer, id: RequestId, listener: () => void): boolean {
		const handlers = receiverOf(server)._requestHandlerAbortControllers;
		return handlers?.has(id) === true && HandlerEnds.of(handlers).listen(id, listener);
	}

	/** Tells the server that it is closed. Unlike the SDK, it goes on to know which of its handlers run. */
	protected passClose(server: SdkServer | undefined): void {
		const receiver = server === undefined ? undefined : receiverOf(server);
		const handlers = receiver?._requestHandlerAbortControllers;
		this.#onclose?.();
		if (receiver !== undefined && handlers !== undefined && handlers.size > 0)
			receiver._requestHandlerAbortControllers = handlers;
	}

	/** Passes a valid notification to the server. */
	protected passNotification(server: SdkServer, notification: JsonRpcNotification, extra?: MessageExtra): void {
		const receiver = this.isUnwatched(server) ? receiverOf(server) : undefined;
		if (receiver?._onnotification !== undefined) receiver._onnotification(notification, extra);
		else this.#onmessage?.(notification, extra);
	}
}

/** Returns the server beneath an `McpServer`, or the server itself. */
function receiverOf(server: SdkServer): Receiver {
	const { server: inner = server } = server as SdkServer & { readonly server?: SdkServer };
	return inner as Receiver;
}
