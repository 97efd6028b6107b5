import type { MaybePromise } from '@holdfast/session-manager';
import {
	type Clock,
	DEFAULT_MAX_BUFFERED_BYTES,
	isLogLevel,
	isThenable,
	LOG_LEVELS,
} from '@holdfast/session-manager/custom';
import type { AuthInfo, SendOptions } from '@holdfast/transport';
import {
	type BegunOperation,
	type Connection,
	type Connections,
	type Deadline,
	type DeadlineQueue,
	ErrorCode,
	errorOf,
	type HttpExchange,
	type HttpProblem,
	hasMethod,
	isRequest,
	type JsonRpcMessage,
	type JsonRpcNotification,
	type JsonRpcRequest,
	type JsonRpcResponse,
	messageEvent,
	type Operations,
	openingComment,
	type Params,
	pacedSend,
	problemOf,
	type RequestId,
	refuse,
	ServerInlet,
	streamHeaders,
	tokenEndOf,
	writeResponse,
} from '@holdfast/transport/internal';
import type { ResponseMode } from '../post-response.js';
import type { RequestStates } from './request-states.js';
import type { CallServer, ServedCall } from './served-call.js';
import type { Tasks } from './tasks/tasks.js';

/** What a call needs of the door that it came through. */
export interface CallHome {
	readonly clock: Clock;
	readonly connections: Connections;
	readonly responseMode: ResponseMode;
	/** Turns responses that take too long into streams. */
	readonly upgradeTimer: DeadlineQueue<StatelessCall>;
	/** The longest message that a server may send, in bytes of JSON. */
	readonly maxMessageBytes: number;
	/** Seals and opens `requestState`; absent where servers do that themselves. */
	readonly states: RequestStates | undefined;
	/** Tells what a tool returned of a task. */
	readonly tasks: Pick<Tasks, 'outcomeOf'>;
	/** Reports an error that reaches no client. */
	report(error: unknown): void;
	/** Where somebody watches the node. */
	readonly operations: Operations | undefined;
	/** The call has its response, or its client is gone. */
	onover(call: StatelessCall): void;
	/** Nothing runs any more for the call, which is over. */
	onended(call: StatelessCall): void;
}

/** Errors whose HTTP status is not 200 where the SDK finds them before a handler runs. */
const earlyStatus: ReadonlyMap<number, number> = new Map([
	[ErrorCode.METHOD_NOT_FOUND, 404],
	[ErrorCode.INVALID_REQUEST, 400],
	[ErrorCode.PARSE_ERROR, 400],
	[ErrorCode.UNSUPPORTED_PROTOCOL_VERSION, 400],
]);

const LOG_LEVEL_KEY = 'io.modelcontextprotocol/logLevel';

const done = Promise.resolve();

/**
 * One POST of 2026-07-28, as the transport of the SDK server that was made for it (2026-07-28, Transports, Sending
 * Messages to the Server). The response is JSON where it comes quickly and nothing is emitted before it, and a stream
 * otherwise. A client that goes away cancels the call.
 */
export class StatelessCall extends ServerInlet implements ServedCall {
	/** Whom the call counts for. */
	readonly principal: string | undefined;
	readonly #home: CallHome;
	readonly #exchange: HttpExchange;
	readonly #connection: Connection;
	/** The id of the request, as its client wrote it. */
	#requestId: RequestId | undefined;
	/** The same as the server knows it. */
	#servedId: RequestId | undefined;
	#server: CallServer | undefined;
	#isAnswered = false;
	#request: JsonRpcRequest | undefined;
	/** The level that the request names. */
	#logLevel: unknown;
	/** Whether the server takes the message in: what it sends meanwhile does not come from a handler. */
	#isDispatching = false;
	#isStream = false;
	/** Whether the response must be JSON: the mode says so, or there are too many streams. */
	#isJson: boolean;
	/** When it becomes a stream. */
	#upgrade: Deadline<StatelessCall> | undefined;
	#isOver = false;
	#isClosed = false;
	/** Whether the server sent a request, and waits for its response. */
	#hasAsked = false;
	#dropped = false;
	/** Where somebody watches the node, once the request runs. */
	#begun: BegunOperation | undefined;

	constructor(home: CallHome, exchange: HttpExchange, principal: string | undefined) {
		super();
		this.principal = principal;
		this.#home = home;
		this.#exchange = exchange;
		this.#isJson = home.responseMode === 'json';
		exchange.lease?.retain();
		// Nothing is sent yet, but from now on it is known when the client goes away.
		this.#connection = exchange.stream(streamHeaders);
		this.#connection.onEnd(() => this.#clientGone());
	}

	/** Whether the call has its response, or its client is gone. */
	get isOver(): boolean {
		return this.#isOver;
	}

	/** Who serves it. */
	get server(): CallServer | undefined {
		return this.#server;
	}

	/** Whether the server itself has answered, so that no handler of the call runs any more. */
	get isAnswered(): boolean {
		return this.#isAnswered;
	}

	/** When the token of the request expires, in milliseconds since the Unix epoch. */
	get tokenEndsAt(): number | undefined {
		return tokenEndOf(this.#exchange.authInfo);
	}

	/** Who sent the request. */
	get authInfo(): AuthInfo | undefined {
		return this.#exchange.authInfo;
	}

	/** Returns the value of a header, by any name; `null` where the request has none, as `Headers` does. */
	header(name: string): string | null {
		return this.#exchange.header(name.toLowerCase()) ?? null;
	}

	/**
	 * Names the server, which meets the request under `id` where that is given: a server that is reused must not take
	 * what it still does for an earlier request for this one, and clients choose the same ids.
	 */
	serveBy(server: CallServer, id?: number): void {
		this.#server = server;
		this.#servedId = id;
		server.serve(this);
	}

	/** Called by the SDK server; does nothing. */
	start(): Promise<void> {
		return done;
	}

	/** Passes the message to the server, which is connected. */
	run(message: JsonRpcRequest | JsonRpcNotification): MaybePromise<void> {
		const { states } = this.#home;
		if (states !== undefined && !states.isReady && isRequest(message)) return this.#runOnceReady(states, message);
		const sealed = message.params?.['requestState'];
		if (states === undefined || typeof sealed !== 'string' || !isRequest(message)) return this.#run(message);
		return this.#runWithState(states, sealed, message);
	}

	/** Passes the message to the server once this node knows the key that the nodes share. */
	async #runOnceReady(states: RequestStates, message: JsonRpcRequest): Promise<void> {
		try {
			await states.load();
		} catch (error) {
			this.#home.report(error);
			return this.reject(problemOf(error), message.id);
		}
		return this.run(message);
	}

	/** Passes the message to the server once the state that the client sent back is known to be valid. */
	async #runWithState(states: RequestStates, sealed: string, message: JsonRpcRequest): Promise<void> {
		try {
			const requestState = await states.open(sealed, message, this.principal);
			if (requestState !== undefined) return this.#run({ ...message, params: { ...message.params, requestState } });
		} catch (error) {
			this.#home.report(error);
			return this.reject(problemOf(error), message.id);
		}
		const data = { reason: 'invalid_request_state' };
		const error = { code: ErrorCode.INVALID_PARAMS, message: 'Invalid or expired requestState', data };
		this.respond({ jsonrpc: '2.0', id: message.id, error });
	}

	#run(message: JsonRpcRequest | JsonRpcNotification): void {
		// The client may have gone while the server was made.
		if (this.#isOver) return this.#close();
		if (!isRequest(message)) {
			this.onmessage?.(message, this.#exchange.extra());
			this.#over();
			return this.#exchange.respond(202, {}, undefined);
		}
		this.#requestId = message.id;
		this.#servedId ??= message.id;
		this.#request = message;
		const { operations } = this.#home;
		if (operations !== undefined) this.#begun = operations.begin('server', message);
		this.#logLevel = (message.params?.['_meta'] as Params | undefined)?.[LOG_LEVEL_KEY];
		this.#isDispatching = true;
		try {
			const served = this.#servedId === message.id ? message : { ...message, id: this.#servedId };
			const product = this.#server?.product;
			const extra = this.#exchange.extra();
			if (operations === undefined || this.#begun === undefined) this.passRequest(product, served, extra);
			else operations.run(this.#begun, () => this.passRequest(product, served, extra));
		} finally {
			this.#isDispatching = false;
		}
		if (this.#isOver || this.#isJson) return;
		if (this.#home.responseMode === 'sse') this.openStream();
		else this.#upgrade = this.#home.upgradeTimer.add(this);
	}

	/** Responds with what the SDK says instead of serving the request. */
	async refuse(response: Response): Promise<void> {
		if (this.#isOver) return;
		const headers: Record<string, string> = {};
		for (const name of ['content-type', 'www-authenticate', 'allow']) {
			const value = response.headers.get(name);
			if (value !== null) headers[name] = value;
		}
		const body = await response.text();
		this.#over();
		this.#exchange.respond(response.status, headers, body === '' ? undefined : body);
	}

	/** Called by the SDK server with every message that it sends. */
	send(message: JsonRpcMessage, options?: SendOptions): Promise<void> {
		if (this.#isOver) return done;
		if (!hasMethod(message)) {
			if (message.id !== this.#servedId || this.#requestId === undefined) return done;
			this.#isAnswered = true;
			this.#respond(this.#finished(message.id === this.#requestId ? message : { ...message, id: this.#requestId }));
			return done;
		}
		// There is no other stream, and a server asks nothing in this revision.
		if (isRequest(message)) this.#hasAsked = true;
		if (isRequest(message) || options?.relatedRequestId !== this.#servedId) return done;
		const sent = this.#emit(message);
		return isThenable(sent) ? Promise.resolve(sent) : done;
	}

	/** Makes the response a stream, unless it is one, or JSON for good where there are too many. Returns which it is. */
	openStream(): boolean {
		if (this.#isStream || this.#isJson || this.#isOver) return this.#isStream;
		this.#upgrade?.cancel();
		if (this.#home.connections.isFull) {
			this.#isJson = true;
			return false;
		}
		this.#isStream = true;
		this.#home.connections.track(this.#connection, undefined, 'request');
		this.#connection.write(openingComment);
		return true;
	}

	/** Sends a response that is not the server's, unless the call is over. */
	respond(response: JsonRpcResponse): void {
		if (!this.#isOver) this.#respond(response);
	}

	/** Reports an error that its client is not told. */
	report(error: unknown): void {
		this.#home.report(error);
	}

	/** Refuses the request, unless the call is over. */
	reject(problem: HttpProblem, id: RequestId): void {
		if (this.#isOver) return;
		this.#over();
		refuse(this.#exchange, problem, id);
	}

	/** Lets somebody else have the connection, on which nothing was sent: the call is over. */
	handOver(): Connection {
		this.#over();
		return this.#connection;
	}

	/** Ends the call with an error, unless it is over. */
	fail(message: string): void {
		if (this.#isOver) return;
		if (this.#requestId !== undefined)
			this.#respond({ jsonrpc: '2.0', id: this.#requestId, error: { code: ErrorCode.REFUSED, message } });
		else this.#connection.destroy();
	}

	/** Called by the SDK server when it closes. Idempotent. */
	async close(): Promise<void> {
		this.fail('The server closed before it responded.');
		this.#close();
	}

	/** Tells the SDK server that its one call is over, so that it frees what it holds, where it holds anything. */
	retire(): void {
		if (this.#isAnswered && !this.#hasAsked && this.#server?.holdsNothing(this) === true) this.#isClosed = true;
		else this.#close();
	}

	#respond(response: JsonRpcResponse): void {
		const report = (error: unknown) => this.#home.report(error);
		const json = writeResponse(response, this.#home.maxMessageBytes, report, this.#request);
		this.#over(errorOf(response));
		if (this.#isStream) {
			this.#connection.write(messageEvent(json));
			this.#connection.close();
		} else {
			const status = 'error' in response ? this.#statusOf(response.error.code) : 200;
			if (status === 200) this.#exchange.respondJson(undefined, json);
			else this.#exchange.respond(status, { 'content-type': 'application/json' }, json);
		}
	}

	/** Puts in what became a task, and seals the state of a result that asks the client for something. */
	#finished(response: JsonRpcResponse): JsonRpcResponse {
		const { states, tasks } = this.#home;
		if ('error' in response) return response;
		const { resultType, requestState, _meta } = response.result;
		if (resultType !== 'input_required' || typeof requestState !== 'string') return response;
		const outcome = tasks.outcomeOf(response.result);
		if (outcome !== undefined) {
			const { id } = response;
			if ('error' in outcome) return { jsonrpc: '2.0', id, error: outcome.error };
			return { jsonrpc: '2.0', id, result: { ...outcome.result, ...(_meta !== undefined && { _meta }) } };
		}
		if (states === undefined || this.#request === undefined) return response;
		const sealed = states.seal(requestState, this.#request, this.principal);
		return { ...response, result: { ...response.result, requestState: sealed } };
	}

	#statusOf(code: number): number {
		if (code === ErrorCode.MISSING_CLIENT_CAPABILITY) return 400;
		return (this.#isDispatching ? earlyStatus.get(code) : undefined) ?? 200;
	}

	/** Sends a notification. The promise is the server's chance to wait for a client that reads slowly. */
	#emit(notification: JsonRpcNotification): MaybePromise<void> {
		if (notification.method === 'notifications/message' && !this.#wantsLog(notification.params?.['level'])) return;
		if (!this.openStream()) return;
		const connection = this.#connection;
		// A client that has had no time to read is not slow.
		if ((connection.desiredSize ?? 0) < -DEFAULT_MAX_BUFFERED_BYTES) return this.#drop();
		const json = JSON.stringify(notification);
		if (json.length > this.#home.maxMessageBytes) {
			const error = new Error(
				`A notification is longer than the ${this.#home.maxMessageBytes} bytes of maxMessageBytes.`,
			);
			this.#home.report(error);
			return;
		}
		connection.write(messageEvent(json));
		return pacedSend(connection, this.#home.clock, undefined);
	}

	/** A request that names no level gets no log messages (2026-07-28, Logging, Log Level). */
	#wantsLog(level: unknown): boolean {
		const least = this.#logLevel;
		return isLogLevel(least) && isLogLevel(level) && LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(least);
	}

	/** Progress and log messages say how a call goes on; losing some harms less than losing the result would. */
	#drop(): void {
		if (this.#dropped) return;
		this.#dropped = true;
		this.#home.report(new Error('A client reads too slowly: notifications of its call are dropped.'));
	}

	#clientGone(): void {
		if (this.#isOver) return;
		this.#over('cancelled');
		// The SDK aborts the signal of the handler.
		this.#close();
	}

	#over(error?: string): void {
		if (this.#isOver) return;
		this.#isOver = true;
		if (this.#begun !== undefined) this.#home.operations?.end(this.#begun, error);
		this.#upgrade?.cancel();
		this.#home.onover(this);
		const ended = () => {
			this.#exchange.lease?.release();
			this.#home.onended(this);
		};
		// A handler may run on after its client is gone. After its response, none does.
		const [product, id] = [this.#server?.product, this.#servedId];
		const runs = !this.#isAnswered && product !== undefined && id !== undefined;
		if (!runs || !this.onHandlerEnd(product, id, ended)) ended();
	}

	#close(): void {
		if (this.#isClosed || this.onclose === undefined) return;
		this.#isClosed = true;
		this.passClose(this.#server?.product);
	}
}
