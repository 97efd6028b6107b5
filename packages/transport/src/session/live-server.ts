import type { LogLevel, MaybePromise } from '@holdfast/session-manager';
import { isLogLevel, isThenable, LOG_LEVELS } from '@holdfast/session-manager/custom';
import {
	ErrorCode,
	hasMethod,
	isRequest,
	type JsonRpcMessage,
	type JsonRpcNotification,
	type JsonRpcRequest,
	type JsonRpcResponse,
	type Params,
	type RequestId,
} from '../protocol/json-rpc.js';
import type { Responder } from '../protocol/responder.js';
import type { MessageExtra, SdkServer, SdkTransport, SendOptions } from '../protocol/sdk.js';

/** What a live server needs from the session it serves. */
export interface LiveServerHome {
	/** Sends one message on the session stream, wherever it is held. */
	sendOnSessionStream(json: string): MaybePromise<void>;
	/** A fresh wire id for a server→client request; throws when too many wait. */
	nextWireId(waiting: number): string;
	readonly logLevel: LogLevel | undefined;
	/** Records what a request changes about the session, before the client hears of it; may replace the response. */
	settle(request: JsonRpcRequest, response: JsonRpcResponse): MaybePromise<JsonRpcResponse>;
	report(error: unknown): void;
	/** The server closed, by itself or because it was dropped. */
	onserverclosed(server: LiveServer): void;
}

interface Running {
	readonly request: JsonRpcRequest;
	readonly responder: Responder;
}

const done = Promise.resolve();

/** Requests whose success changes what is stored of the session. */
const settledMethods: ReadonlySet<string> = new Set([
	'logging/setLevel',
	'resources/subscribe',
	'resources/unsubscribe',
]);

/**
 * The SDK server of a session on this node, and the SDK's `Transport` in front of it. It rewrites the ids of server→client
 * requests, which are unique only in one process, to wire ids and back, and leads each message to the stream it belongs on.
 */
export class LiveServer implements SdkTransport {
	readonly sessionId: string | undefined;
	onclose: (() => void) | undefined;
	onerror: ((error: Error) => void) | undefined;
	onmessage: ((message: JsonRpcMessage, extra?: MessageExtra) => void) | undefined;

	readonly #home: LiveServerHome;
	readonly #server: SdkServer;
	readonly #running = new Map<RequestId, Running>();
	/** Wire id → the SDK's own number, for requests that wait for the client. */
	#waiting: Map<string, RequestId> | undefined;
	#closed = false;

	constructor(sessionId: string | undefined, server: SdkServer, home: LiveServerHome) {
		this.sessionId = sessionId;
		this.#server = server;
		this.#home = home;
	}

	/** Requests of the client that run here. */
	get running(): number {
		return this.#running.size;
	}

	/** Requests to the client that wait here. */
	get waiting(): number {
		return this.#waiting?.size ?? 0;
	}

	/** Whether a request runs or waits here. */
	get busy(): boolean {
		return this.running > 0 || this.waiting > 0;
	}

	/** Connects the SDK server; then it takes messages. */
	connect(): Promise<void> {
		return this.#server.connect(this);
	}

	start(): Promise<void> {
		return done;
	}

	/** Whether request `id` runs here. */
	isRunning(id: RequestId): boolean {
		return this.#running.has(id);
	}

	/** Whether the response to wire id `id` is awaited here. */
	isWaiting(id: RequestId): boolean {
		return this.#waiting?.has(id as string) ?? false;
	}

	/** Hands a client's request to the server; what comes of it goes to `responder`. */
	request(request: JsonRpcRequest, responder: Responder, extra?: MessageExtra): void {
		this.#running.set(request.id, { request, responder });
		this.onmessage?.(request, extra);
	}

	/** Hands a client's notification to the server. */
	notify(notification: JsonRpcNotification, extra?: MessageExtra): void {
		if (notification.method === 'notifications/progress') {
			const token = notification.params?.['progressToken'];
			const own = typeof token === 'string' ? this.#waiting?.get(token) : undefined;
			// Progress for what nobody waits for any more is late, not wrong.
			if (own !== undefined)
				this.onmessage?.({ ...notification, params: { ...notification.params, progressToken: own } }, extra);
			return;
		}
		this.onmessage?.(notification, extra);
	}

	/** The client cancels request `id`. `false` when it does not run here. `initialize` cannot be cancelled. */
	cancel(id: RequestId, notification: JsonRpcNotification, extra?: MessageExtra): boolean {
		const running = this.#running.get(id);
		if (running === undefined || running.request.method === 'initialize') return false;
		this.onmessage?.(notification, extra);
		this.#running.delete(id);
		running.responder.cancelled(id);
		return true;
	}

	/** Hands the client's response to the server. `false` when nobody waits for it here. */
	resolve(response: JsonRpcResponse, extra?: MessageExtra): boolean {
		const own = this.#waiting?.get(response.id as string);
		if (own === undefined) return false;
		this.#waiting?.delete(response.id as string);
		this.onmessage?.({ ...response, id: own }, extra);
		return true;
	}

	/** Called by the SDK server with everything it sends. */
	send(message: JsonRpcMessage, options?: SendOptions): Promise<void> {
		try {
			const sent = hasMethod(message)
				? this.#sendCall(message, options?.relatedRequestId)
				: this.#sendResponse(message);
			return isThenable(sent) ? Promise.resolve(sent) : done;
		} catch (error) {
			return Promise.reject(error);
		}
	}

	/** Called by the SDK server when it closes, and by us to drop it. Its requests fail; the session lives on. */
	async close(): Promise<void> {
		if (this.#closed) return;
		this.#closed = true;
		void this.fail(ErrorCode.REFUSED, 'The server closed before it responded.');
		this.#waiting = undefined;
		this.#home.onserverclosed(this);
		this.onclose?.();
	}

	/** Frees the SDK server. */
	async drop(): Promise<void> {
		try {
			await (this.waiting > 0 ? this.#server.close() : withoutStackTraces(() => this.#server.close()));
		} catch (error) {
			this.#home.report(error);
		}
		// A server that never connected does not close its transport.
		await this.close();
	}

	/** Ends every running request with an error. Resolves once the errors are on their way; never rejects. */
	async fail(code: number, message: string): Promise<void> {
		const sending: MaybePromise<void>[] = [];
		for (const [id, { responder }] of this.#running) {
			this.#running.delete(id);
			try {
				sending.push(responder.respond({ jsonrpc: '2.0', id, error: { code, message } }));
			} catch (error) {
				this.#home.report(error);
			}
		}
		for (const result of await Promise.allSettled(sending))
			if (result.status === 'rejected') this.#home.report(result.reason);
	}

	#sendCall(message: JsonRpcRequest | JsonRpcNotification, related: RequestId | undefined): MaybePromise<void> {
		if (this.#closed) return;
		if (isRequest(message)) return this.#sendRequest(message, related);
		const wire = this.#notificationToWire(message);
		if (wire === undefined) return;
		const sent = this.#emit(wire, related);
		// A tool must not fail because its client could not be told of its progress.
		return isThenable(sent) ? Promise.resolve(sent).catch((error: unknown) => this.#home.report(error)) : sent;
	}

	#sendRequest(request: JsonRpcRequest, related: RequestId | undefined): MaybePromise<void> {
		const wire = this.#toWire(request);
		// Nobody can answer what was not sent.
		const fail = (error: unknown) => {
			this.#waiting?.delete(wire.id as string);
			throw error;
		};
		try {
			const sent = this.#emit(wire, related);
			return isThenable(sent) ? Promise.resolve(sent).catch(fail) : sent;
		} catch (error) {
			fail(error);
		}
	}

	#emit(wire: JsonRpcRequest | JsonRpcNotification, related: RequestId | undefined): MaybePromise<void> {
		const json = JSON.stringify(wire);
		const responder = related === undefined ? undefined : this.#running.get(related)?.responder;
		if (responder !== undefined) return responder.emit(json);
		// Progress of a request that is over must not be sent; a log line or a question that comes late still may.
		if (related !== undefined && wire.method === 'notifications/progress') return;
		return this.#home.sendOnSessionStream(json);
	}

	#toWire(request: JsonRpcRequest): JsonRpcRequest {
		const id = this.#home.nextWireId(this.waiting);
		this.#waiting ??= new Map();
		this.#waiting.set(id, request.id);
		const meta = request.params?.['_meta'] as Params | undefined;
		if (meta?.['progressToken'] === undefined) return { ...request, id };
		return { ...request, id, params: { ...request.params, _meta: { ...meta, progressToken: id } } };
	}

	#notificationToWire(notification: JsonRpcNotification): JsonRpcNotification | undefined {
		if (notification.method === 'notifications/message') {
			return this.#isMuted(notification.params?.['level']) ? undefined : notification;
		}
		if (notification.method !== 'notifications/cancelled') return notification;
		const own = notification.params?.['requestId'];
		for (const [wireId, id] of this.#waiting ?? []) {
			if (id !== own) continue;
			this.#waiting?.delete(wireId);
			return { ...notification, params: { ...notification.params, requestId: wireId } };
		}
		return undefined;
	}

	#isMuted(level: unknown): boolean {
		const least = this.#home.logLevel;
		return least !== undefined && isLogLevel(level) && LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(least);
	}

	#sendResponse(response: JsonRpcResponse): MaybePromise<void> {
		const running = this.#running.get(response.id);
		// Cancelled meanwhile, or ended with the session: the client expects nothing more.
		if (running === undefined) return;
		if (!settledMethods.has(running.request.method)) {
			this.#running.delete(response.id);
			return running.responder.respond(response);
		}
		return this.#settleAndRespond(running, response);
	}

	async #settleAndRespond(running: Running, response: JsonRpcResponse): Promise<void> {
		let settled: JsonRpcResponse;
		try {
			settled = await this.#home.settle(running.request, response);
		} catch (error) {
			this.#home.report(error);
			const message = 'The session could not be changed; try again.';
			settled = { jsonrpc: '2.0', id: response.id, error: { code: ErrorCode.INTERNAL_ERROR, message } };
		}
		if (this.#running.get(response.id) !== running) return;
		this.#running.delete(response.id);
		await running.responder.respond(settled);
	}
}

/**
 * SDK v1 makes an error for the requests that wait each time it closes. Where none does, its stack trace is a tenth of what
 * a session costs, and nobody sees it.
 */
function withoutStackTraces<T>(work: () => T): T {
	const { stackTraceLimit } = Error;
	Error.stackTraceLimit = 0;
	try {
		return work();
	} finally {
		Error.stackTraceLimit = stackTraceLimit;
	}
}
