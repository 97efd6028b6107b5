import { randomUUID } from 'node:crypto';
import type { LogLevel, MaybePromise } from '@holdfast/session-manager';
import { isLogLevel, isThenable, LOG_LEVELS } from '@holdfast/session-manager/custom';
import type { BodyLease } from '../http/body-budget.js';
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
	writeMessage,
} from '../protocol/json-rpc.js';
import type { Responder } from '../protocol/responder.js';
import type { MessageExtra, SdkServer, SdkTransport, SendOptions } from '../protocol/sdk.js';
import { ServerInlet } from '../protocol/server-inlet.js';
import { type BegunOperation, errorOf, type Operations } from './operations.js';
import { isReplayId } from './replay-id.js';

/** What a live server needs from its session. */
export interface ServedSession {
	/** Sends one message on the session stream, whichever node holds it. */
	sendOnSessionStream(json: string): MaybePromise<void>;
	/** Returns an unused wire id for a server→client request. Throws when `waiting` has reached the limit. */
	nextWireId(waiting: number): string;
	readonly logLevel: LogLevel | undefined;
	readonly maxMessageBytes: number;
	/**
	 * Stores what a successful request changes about the session, before the client hears of the success. Returns the
	 * response to send, which may be another.
	 */
	settle(request: JsonRpcRequest, response: JsonRpcResponse): MaybePromise<JsonRpcResponse>;
	report(error: unknown): void;
	/** Where somebody watches the node. */
	readonly operations: Operations | undefined;
	/** The server closed, by itself or because it was dropped. */
	onserverclosed(server: LiveServer): void;
}

interface Running {
	/** The id by which the client knows it. */
	readonly id: RequestId;
	/** As the server knows it: by another id where a handler of an earlier request with this one still runs. */
	readonly request: JsonRpcRequest;
	readonly responder: Responder;
	/** The share of the request's body in the budgets. */
	readonly lease: BodyLease | undefined;
	/** Where somebody watches the node. */
	readonly begun: BegunOperation | undefined;
}

const done = Promise.resolve();

/** Requests whose success changes what is stored about the session. */
const settledMethods: ReadonlySet<string> = new Set([
	'logging/setLevel',
	'resources/subscribe',
	'resources/unsubscribe',
]);

/**
 * The SDK server of a session on this node, and the SDK's `Transport` in front of it. SDK servers number their requests
 * per process, so it rewrites the ids of server→client requests to wire ids and back. It routes each message of the
 * server to the stream on which it belongs.
 */
export class LiveServer extends ServerInlet implements SdkTransport {
	readonly sessionId: string | undefined;
	readonly #session: ServedSession;
	readonly #server: SdkServer;
	/** A list, which for the few requests of one session costs less than a `Map`, and leaves less garbage. */
	readonly #running: Running[] = [];
	/** Cancelled requests whose handlers still run, by the ids that the server knows. */
	#cancelled: Set<RequestId> | undefined;
	/** Wire id → the id that the SDK server gave, for requests that wait for the client. */
	#waiting: Map<string, RequestId> | undefined;
	/** The same requests where somebody watches the node. */
	#asked: Map<string, BegunOperation> | undefined;
	#closed = false;

	constructor(sessionId: string | undefined, server: SdkServer, session: ServedSession) {
		super();
		this.sessionId = sessionId;
		this.#server = server;
		this.#session = session;
	}

	/** How many requests of the client run here. */
	get running(): number {
		return this.#running.length;
	}

	/** How many handlers of requests run here: those of cancelled requests do until they end. */
	get handling(): number {
		return this.#running.length + (this.#cancelled?.size ?? 0);
	}

	/** How many requests to the client wait here for a response. */
	get waiting(): number {
		return this.#waiting?.size ?? 0;
	}

	/** Whether a request runs or waits here. */
	get busy(): boolean {
		return this.running > 0 || this.waiting > 0;
	}

	/** Connects the SDK server, which takes messages from then on. */
	connect(): Promise<void> {
		return this.#server.connect(this);
	}

	/** Called by the SDK server; does nothing. */
	start(): Promise<void> {
		return done;
	}

	/** Returns whether request `id` runs here. */
	isRunning(id: RequestId): boolean {
		return this.#find(id) !== undefined;
	}

	/** Returns whether a request with wire id `id` waits here for its response. */
	isWaiting(id: RequestId): boolean {
		return this.#waiting?.has(id as string) ?? false;
	}

	/**
	 * Passes a client's request to the server. Everything that the server sends for it goes to `responder`. `lease` is
	 * held until it has its response or is cancelled.
	 */
	request(request: JsonRpcRequest, responder: Responder, extra?: MessageExtra, lease?: BodyLease): void {
		lease?.retain();
		const { id } = request;
		const served = this.#cancelled !== undefined && this.#isServed(id) ? { ...request, id: randomUUID() } : request;
		const { operations } = this.#session;
		if (operations === undefined || isReplayId(id)) {
			this.#running.push({ id, request: served, responder, lease, begun: undefined });
			return this.passRequest(this.#server, served, extra);
		}
		const begun = operations.begin('server', request);
		this.#running.push({ id, request: served, responder, lease, begun });
		operations.run(begun, () => this.passRequest(this.#server, served, extra));
	}

	/** Passes a client's notification to the server. */
	notify(notification: JsonRpcNotification, extra?: MessageExtra): void {
		if (notification.method === 'notifications/progress') {
			const token = notification.params?.['progressToken'];
			const own = typeof token === 'string' ? this.#waiting?.get(token) : undefined;
			// Progress for a request that no longer waits is late, not wrong.
			if (own !== undefined)
				this.passNotification(
					this.#server,
					{ ...notification, params: { ...notification.params, progressToken: own } },
					extra,
				);
			return;
		}
		this.passNotification(this.#server, notification, extra);
	}

	/**
	 * Cancels request `id` for the client. Returns `false` when it does not run here. `initialize` cannot be cancelled
	 * (2025-11-25, Cancellation).
	 */
	cancel(id: RequestId, notification: JsonRpcNotification, extra?: MessageExtra): boolean {
		const running = this.#find(id);
		if (running === undefined || running.request.method === 'initialize') return false;
		const { id: requestId } = running.request;
		const params = { ...notification.params, requestId };
		this.passNotification(this.#server, requestId === id ? notification : { ...notification, params }, extra);
		this.#delete(running);
		this.#cancelled ??= new Set();
		const cancelled = this.#cancelled;
		if (this.onHandlerEnd(this.#server, requestId, () => cancelled.delete(requestId))) cancelled.add(requestId);
		this.#ended(running, 'cancelled');
		running.responder.cancelled(id);
		return true;
	}

	/** Passes a client's response to the server. Returns `false` when no request waits for it here. */
	resolve(response: JsonRpcResponse, extra?: MessageExtra): boolean {
		const own = this.#waiting?.get(response.id as string);
		if (own === undefined) return false;
		this.#waiting?.delete(response.id as string);
		if (this.#asked !== undefined) this.#answered(response.id as string, errorOf(response));
		this.onmessage?.({ ...response, id: own }, extra);
		return true;
	}

	/** Called by the SDK server with every message that it sends. */
	send(message: JsonRpcMessage, options?: SendOptions): Promise<void> {
		try {
			const sent = hasMethod(message)
				? this.#sendWithMethod(message, options?.relatedRequestId)
				: this.#sendResponse(message);
			return isThenable(sent) ? Promise.resolve(sent) : done;
		} catch (error) {
			return Promise.reject(error);
		}
	}

	/**
	 * Called by the SDK server when it closes, and by {@link drop}. Running requests fail; the session lives on.
	 * Idempotent.
	 */
	async close(): Promise<void> {
		if (this.#closed) return;
		this.#closed = true;
		void this.fail(ErrorCode.REFUSED, 'The server closed before it responded.');
		this.#waiting = undefined;
		for (const wireId of this.#asked?.keys() ?? []) this.#answered(wireId, 'closed');
		this.#session.onserverclosed(this);
		this.onclose?.();
	}

	/** Closes the SDK server. An error of it is reported. */
	async drop(): Promise<void> {
		try {
			await (this.waiting > 0 ? this.#server.close() : withoutStackTraces(() => this.#server.close()));
		} catch (error) {
			this.#session.report(error);
		}
		// A server that never connected does not close its transport.
		await this.close();
	}

	/** Ends every running request with an error. Resolves once the errors are on their way; never rejects. */
	async fail(code: number, message: string): Promise<void> {
		const sending: MaybePromise<void>[] = [];
		for (const running of [...this.#running]) {
			this.#delete(running);
			this.#ended(running, 'closed');
			const { id, responder } = running;
			try {
				sending.push(responder.respond({ jsonrpc: '2.0', id, error: { code, message } }));
			} catch (error) {
				this.#session.report(error);
			}
		}
		for (const result of await Promise.allSettled(sending))
			if (result.status === 'rejected') this.#session.report(result.reason);
	}

	/** A request is over, for whoever watches the node. */
	#ended({ begun }: Running, error: string | undefined): void {
		if (begun !== undefined) this.#session.operations?.end(begun, error);
	}

	/** A request to the client is over. */
	#answered(wireId: string, error: string | undefined): void {
		const begun = this.#asked?.get(wireId);
		if (begun === undefined) return;
		this.#asked?.delete(wireId);
		this.#session.operations?.end(begun, error);
	}

	#find(id: RequestId): Running | undefined {
		for (const running of this.#running) if (running.id === id) return running;
		return undefined;
	}

	/** The same, by the id that the server knows. */
	#findServed(id: RequestId): Running | undefined {
		for (const running of this.#running) if (running.request.id === id) return running;
		return undefined;
	}

	/** Whether a handler runs of a request that the server knows by this id. */
	#isServed(id: RequestId): boolean {
		return this.#cancelled?.has(id) === true || this.#findServed(id) !== undefined;
	}

	/** A request does not run any more. Its handler may, unless it has `responded`. */
	#delete(running: Running, responded = false): void {
		const index = this.#running.indexOf(running);
		if (index === -1) return;
		const last = this.#running.pop();
		if (last !== undefined && last !== running) this.#running[index] = last;
		if (responded) running.lease?.release();
		else running.lease?.releaseAfter(running.request);
	}

	#sendWithMethod(message: JsonRpcRequest | JsonRpcNotification, related: RequestId | undefined): MaybePromise<void> {
		if (this.#closed) return;
		if (isRequest(message)) return this.#sendRequest(message, related);
		const wire = this.#notificationToWire(message);
		if (wire === undefined) return;
		let json: string;
		try {
			json = writeMessage(wire, this.#session.maxMessageBytes);
		} catch (error) {
			// Servers often do not look at what becomes of a notification.
			this.#session.report(error);
			throw error;
		}
		const sent = this.#emit(wire.method, json, related);
		// A tool must not fail because a notification could not be sent.
		return isThenable(sent) ? Promise.resolve(sent).catch((error: unknown) => this.#session.report(error)) : sent;
	}

	#sendRequest(request: JsonRpcRequest, related: RequestId | undefined): MaybePromise<void> {
		const wire = this.#toWire(request);
		// No response can come to a request that was not sent.
		const fail = (error: unknown) => {
			this.#waiting?.delete(wire.id as string);
			this.#answered(wire.id as string, 'closed');
			throw error;
		};
		try {
			const sent = this.#emit(wire.method, writeMessage(wire, this.#session.maxMessageBytes), related);
			return isThenable(sent) ? Promise.resolve(sent).catch(fail) : sent;
		} catch (error) {
			fail(error);
		}
	}

	#emit(method: string, json: string, related: RequestId | undefined): MaybePromise<void> {
		const responder = related === undefined ? undefined : this.#findServed(related)?.responder;
		if (responder !== undefined) return responder.emit(json);
		// Progress of a finished request must not be sent; a late log message or server→client request may be.
		if (related !== undefined && method === 'notifications/progress') return;
		return this.#session.sendOnSessionStream(json);
	}

	#toWire(request: JsonRpcRequest): JsonRpcRequest {
		const id = this.#session.nextWireId(this.waiting);
		this.#waiting ??= new Map();
		this.#waiting.set(id, request.id);
		const { operations } = this.#session;
		if (operations !== undefined) {
			this.#asked ??= new Map();
			this.#asked.set(id, operations.begin('client', request, id));
		}
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
			this.#answered(wireId, 'cancelled');
			return { ...notification, params: { ...notification.params, requestId: wireId } };
		}
		return undefined;
	}

	#isMuted(level: unknown): boolean {
		const least = this.#session.logLevel;
		return least !== undefined && isLogLevel(level) && LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(least);
	}

	#sendResponse(response: JsonRpcResponse): MaybePromise<void> {
		const running = this.#findServed(response.id);
		// The request was cancelled or ended with its session: the client expects no response.
		if (running === undefined) return;
		if (!settledMethods.has(running.request.method)) {
			this.#delete(running, true);
			if (running.begun !== undefined) this.#ended(running, errorOf(response));
			return running.responder.respond(toClient(running, response), running.request);
		}
		return this.#settleAndRespond(running, response);
	}

	async #settleAndRespond(running: Running, response: JsonRpcResponse): Promise<void> {
		let settled: JsonRpcResponse;
		try {
			settled = await this.#session.settle(running.request, response);
		} catch (error) {
			this.#session.report(error);
			const message = 'The session could not be changed; try again.';
			settled = { jsonrpc: '2.0', id: response.id, error: { code: ErrorCode.INTERNAL_ERROR, message } };
		}
		if (!this.#running.includes(running)) return;
		this.#delete(running, true);
		this.#ended(running, errorOf(settled));
		await running.responder.respond(toClient(running, settled), running.request);
	}
}

/** Returns a response under the id that the client knows. */
function toClient({ id }: Running, response: JsonRpcResponse): JsonRpcResponse {
	return response.id === id ? response : { ...response, id };
}

/**
 * SDK v1 creates an error each time it closes. Where no request waits, nobody sees it, and its stack trace costs a
 * tenth of a whole session.
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
