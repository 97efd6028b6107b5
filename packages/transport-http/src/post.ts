import type { MaybePromise } from '@holdfast/session-manager';
import { isThenable } from '@holdfast/session-manager/custom';
import {
	assumedInitializeParams,
	canBePrimed,
	checkProtocolVersion,
	DeadlineQueue,
	ErrorCode,
	type HttpExchange,
	hasBatches,
	hasMethod,
	isRequest,
	type JsonRpcMessage,
	type JsonRpcNotification,
	type JsonRpcRequest,
	type LiveServer,
	type LocalSession,
	ownerOf,
	problems,
	readInitializeParams,
	readMessage,
	refuse,
	type SessionHost,
} from '@holdfast/transport/internal';
import { PostResponse, type ResponseMode } from './post-response.js';

/** Options for the messages that clients POST. */
export interface PostOptions {
	/**
	 * Which clients have a session. `implicit`: also a client whose first request is not `initialize`; the response tells
	 * it the session id, as wasmcp does. `off`: none; `createServer` makes a server for each POST, without an argument,
	 * clients cannot GET a stream, and servers cannot send requests to clients.
	 * @default 'required'
	 */
	readonly sessions?: 'required' | 'implicit' | 'off';
	/**
	 * The form of responses.
	 * @default 'auto'
	 */
	readonly responseMode?: ResponseMode;
	/**
	 * How long a response may be pending before it becomes a stream, in milliseconds; only with `responseMode: 'auto'`.
	 * @default 200
	 */
	readonly sseAfterMs?: number;
	/**
	 * How many messages a batch may have. One more is refused with 400.
	 * @default 100
	 */
	readonly maxBatch?: number;
}

/** Serves the messages that clients POST. */
export class PostHandler {
	readonly #host: SessionHost;
	readonly #sessions: 'required' | 'implicit' | 'off';
	readonly #responseMode: ResponseMode;
	readonly #maxBatch: number;
	/** Turns responses that take too long into streams. */
	readonly #upgradeTimer: DeadlineQueue<PostResponse>;

	constructor(host: SessionHost, options: PostOptions) {
		this.#host = host;
		this.#sessions = options.sessions ?? 'required';
		this.#responseMode = options.responseMode ?? 'auto';
		this.#maxBatch = options.maxBatch ?? 100;
		this.#upgradeTimer = new DeadlineQueue(host.context.clock, options.sseAfterMs ?? 200, (response) =>
			response.openStream(),
		);
	}

	/** Stops the timer that turns slow responses into streams. */
	close(): void {
		this.#upgradeTimer.close();
	}

	/** Serves the parsed `body` of a POST that was admitted to `session`, or that names none. */
	serve(exchange: HttpExchange, session: LocalSession | undefined, body: unknown): MaybePromise<void> {
		if (Array.isArray(body)) return this.#serveBatch(exchange, session, body);
		const message = readMessage(body);
		if (message === undefined) return refuse(exchange, problems.invalidRequest);
		// Clients of 2026-07-28 and later ask first whether a server is of their era, and fall back after this answer.
		if (session === undefined && isRequest(message) && message.method === 'server/discover')
			return refuse(exchange, problems.sessionsOnly);
		if (this.#sessions === 'off') return this.#serveWithoutSession(exchange, [message], false);
		if (isRequest(message) && message.method === 'initialize') return this.#initialize(exchange, session, message);
		if (session === undefined) {
			if (this.#sessions === 'implicit' && isRequest(message)) return this.#runInNewSession(exchange, message);
			return refuse(exchange, problems.missingSessionId);
		}
		if (hasMethod(message) && message.method === 'session/terminate')
			return this.#terminate(exchange, session, message);
		if (isRequest(message)) return this.#run(exchange, session, [message], false);
		return this.#accept(exchange, session, [message]);
	}

	#serveBatch(
		exchange: HttpExchange,
		session: LocalSession | undefined,
		values: readonly unknown[],
	): MaybePromise<void> {
		if (values.length === 0) return refuse(exchange, problems.emptyBatch);
		if (values.length > this.#maxBatch) return refuse(exchange, problems.largeBatch);
		const messages: JsonRpcMessage[] = [];
		for (const value of values) {
			const message = readMessage(value);
			if (message === undefined) return refuse(exchange, problems.invalidRequest);
			if (hasMethod(message) && message.method === 'initialize') return refuse(exchange, problems.initializeInBatch);
			messages.push(message);
		}
		if (this.#sessions === 'off') return this.#serveWithoutSession(exchange, messages, true);
		if (session === undefined) return refuse(exchange, problems.missingSessionId);
		if (!hasBatches(session.record.protocolVersion)) return refuse(exchange, problems.batchNotSupported);
		const requests = messages.filter(isRequest);
		if (requests.length === 0) return this.#accept(exchange, session, messages);
		const others = messages.filter((message) => !isRequest(message));
		return this.#run(exchange, session, requests, true, others);
	}

	async #initialize(exchange: HttpExchange, known: LocalSession | undefined, request: JsonRpcRequest): Promise<void> {
		if (known !== undefined) return refuse(exchange, problems.initializeInSession);
		const params = readInitializeParams(request);
		if (typeof params === 'string') return refuse(exchange, { ...problems.invalidParams, message: params }, request.id);
		const { factory } = this.#host;
		const { response, session } = await factory.initialize(request, params, ownerOf(exchange), exchange.extra());
		const json = JSON.stringify(response);
		if (session === undefined) return exchange.respond(200, { 'content-type': 'application/json' }, json);
		if (this.#responseMode !== 'sse') return exchange.respondJson(session.sessionIdHeader, json);
		await new PostResponse(this.#host, session, exchange, [request], false, 'sse', this.#upgradeTimer).respond(
			response,
		);
	}

	/** Creates a session for a request that came without one, and runs the request in it. */
	async #runInNewSession(exchange: HttpExchange, request: JsonRpcRequest): Promise<void> {
		const version = versionOf(exchange);
		if (version === undefined) return refuse(exchange, problems.unsupportedVersion);
		const params = assumedInitializeParams(version);
		const initialize = { jsonrpc: '2.0', id: request.id, method: 'initialize', params } as const;
		const { factory } = this.#host;
		const { response, session } = await factory.initialize(initialize, params, ownerOf(exchange), exchange.extra());
		if (session === undefined) return exchange.respondJson(undefined, JSON.stringify(response));
		return this.#run(exchange, session, [request], false);
	}

	/** Serves one POST with a server made for it alone. */
	async #serveWithoutSession(
		exchange: HttpExchange,
		messages: readonly JsonRpcMessage[],
		batch: boolean,
	): Promise<void> {
		const version = versionOf(exchange);
		if (version === undefined) return refuse(exchange, problems.unsupportedVersion);
		if (batch && !hasBatches(version)) return refuse(exchange, problems.batchNotSupported);
		const requests = messages.filter(isRequest);
		// No server waits for the response of a client.
		const notifications = messages.filter(isNotification);
		if (requests.length + notifications.length === 0) return exchange.respond(202, {}, undefined);
		const [request] = requests;
		if (request?.method === 'initialize') {
			const params = readInitializeParams(request);
			if (typeof params === 'string')
				return refuse(exchange, { ...problems.invalidParams, message: params }, request.id);
			const session = this.#host.factory.transient(params);
			const response = await session.initialize(request, exchange.extra());
			await finishTransient(session);
			return exchange.respondJson(undefined, JSON.stringify(response));
		}
		const session = this.#host.factory.transient(assumedInitializeParams(version));
		if (requests.length > 0) return this.#run(exchange, session, requests, batch, notifications);
		const live = await session.live();
		const extra = exchange.extra();
		for (const notification of notifications) live.notify(notification, extra);
		this.#host.context.background(() => finishTransient(session));
		exchange.respond(202, {}, undefined);
	}

	/** Runs the requests of one POST. `others` are the notifications and responses of the same batch. */
	#run(
		exchange: HttpExchange,
		session: LocalSession,
		requests: readonly JsonRpcRequest[],
		batch: boolean,
		others: readonly JsonRpcMessage[] = [],
	): MaybePromise<void> {
		if (batch && new Set(requests.map(({ id }) => id)).size < requests.length)
			return refuse(exchange, problems.requestIdInUse);
		if (!session.mayRun(requests.length)) return refuse(exchange, problems.tooManyRequests);
		const live = session.live();
		if (isThenable(live))
			return live.then((opened) => this.#runLive(exchange, session, opened, requests, batch, others));
		return this.#runLive(exchange, session, live, requests, batch, others);
	}

	#runLive(
		exchange: HttpExchange,
		session: LocalSession,
		live: LiveServer,
		requests: readonly JsonRpcRequest[],
		batch: boolean,
		others: readonly JsonRpcMessage[],
	): void {
		const { context, connections, router } = this.#host;
		// The session may have ended while the live server was made.
		if (session.ended) return refuse(exchange, problems.sessionNotFound);
		for (const { id } of requests) if (live.isRunning(id)) return refuse(exchange, problems.requestIdInUse, id);
		const mode = this.#responseMode;
		const refusal = mode === 'sse' ? connections.refusal(session.id) : undefined;
		if (refusal !== undefined) return refuse(exchange, refusal);
		const response = new PostResponse(this.#host, session, exchange, requests, batch, mode, this.#upgradeTimer);
		const extra = exchange.extra();
		// V8 puts a function that is written where it is assigned to a property into the old generation, and with it
		// everything that it reaches: this request. Constants keep the functions out of it.
		if (session.isTransient) {
			const finish = () => context.background(() => finishTransient(session));
			response.ondone = finish;
		} else if (context.streams.resumable && canBePrimed(session.record.protocolVersion) && mode !== 'json') {
			const closeStream = () => response.closeConnection();
			const closeSessionStream = () => connections.closeForReconnect(session.id);
			extra.closeSSEStream = closeStream;
			extra.closeStandaloneSSEStream = closeSessionStream;
		}
		for (const request of requests) live.request(request, response, extra, exchange.lease);
		if (session.isTransient) for (const notification of others.filter(isNotification)) live.notify(notification, extra);
		else if (others.length > 0) context.background(() => router.take(session, others, extra));
	}

	/**
	 * Ends a session whose client cannot send DELETE. `session/terminate` is not part of MCP; clients of wasmcp send it.
	 */
	async #terminate(
		exchange: HttpExchange,
		session: LocalSession,
		message: JsonRpcRequest | JsonRpcNotification,
	): Promise<void> {
		const reason = message.params?.['reason'];
		await this.#host.lifecycle.terminate(session.id, typeof reason === 'string' ? reason : 'the client ended it');
		if (!isRequest(message)) return exchange.respond(202, {}, undefined);
		exchange.respondJson(session.wireId, JSON.stringify({ jsonrpc: '2.0', id: message.id, result: {} }));
	}

	/** Accepts the notifications and responses of one POST. */
	async #accept(exchange: HttpExchange, session: LocalSession, messages: readonly JsonRpcMessage[]): Promise<void> {
		await this.#host.router.take(session, messages, exchange.extra());
		exchange.respond(202, { 'mcp-session-id': session.wireId }, undefined);
	}
}

function isNotification(message: JsonRpcMessage): message is JsonRpcNotification {
	return hasMethod(message) && !isRequest(message);
}

/** Frees the server of a request without a session. */
function finishTransient(session: LocalSession): Promise<void> {
	return session.finish(ErrorCode.REFUSED, 'The request is over.');
}

/** The revision that the request names, 2025-03-26 where it names none (2025-11-25, Protocol Version Header). */
function versionOf(exchange: HttpExchange): string | undefined {
	const version = exchange.header('mcp-protocol-version') ?? '2025-03-26';
	return checkProtocolVersion(exchange, '2025-03-26') === undefined ? version : undefined;
}
