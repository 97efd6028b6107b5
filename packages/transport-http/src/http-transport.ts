import type { MaybePromise } from '@holdfast/session-manager';
import {
	accepts,
	assumedInitializeParams,
	type CreateServer,
	canBePrimed,
	checkProtocolVersion,
	type HttpExchange,
	hasBatches,
	inBackground,
	isAtPath,
	isCall,
	isRequest,
	type JsonRpcMessage,
	type JsonRpcNotification,
	type JsonRpcRequest,
	type LiveServer,
	type NodeSession,
	ownerOf,
	problems,
	readInitializeParams,
	readMessage,
	refuse,
	ServerTransport,
	type ServerTransportOptions,
} from '@holdfast/transport';
import { AnswerDeadlines } from './answer-deadlines.js';
import { PostAnswer, type ResponseMode } from './post-answer.js';
import { openGetStream } from './session-stream.js';

/** Options of {@link HttpTransport}. */
export interface HttpTransportOptions extends ServerTransportOptions {
	/** The path of the endpoint (default `/mcp`); `null`: every path. */
	readonly path?: string | null;
	/**
	 * Who has a session (default `required`). `implicit`: also a client whose first request is not `initialize`; the answer tells it
	 * the id (the behaviour of wasmcp). `off`: nobody; each POST gets a server of its own, made by `createServer` without an
	 * argument, there are no streams to GET, and servers cannot ask clients anything.
	 */
	readonly sessions?: 'required' | 'implicit' | 'off';
	/** How requests are answered (default `auto`). */
	readonly responseMode?: ResponseMode;
	/** After how long an answer that is still open becomes a stream, in milliseconds (default 200), with `responseMode: 'auto'`. */
	readonly sseAfterMs?: number;
	/** Messages in a batch (default 100). */
	readonly maxBatch?: number;
}

/**
 * Streamable HTTP (2025-03-26, 2025-06-18 and 2025-11-25) for a server that is made for each session: `handle` serves
 * `node:http` and what is built on it, `respond` serves fetch runtimes. Both behave the same.
 */
export class HttpTransport extends ServerTransport {
	readonly #deadlines: AnswerDeadlines;
	readonly #path: string | null;
	readonly #responseMode: ResponseMode;
	readonly #maxBatch: number;
	readonly #sessions: 'required' | 'implicit' | 'off';

	constructor(createServer: CreateServer, options: HttpTransportOptions = {}) {
		super(createServer, options);
		this.#deadlines = new AnswerDeadlines(this.host.clock, options.sseAfterMs ?? 200);
		this.#path = options.path === undefined ? '/mcp' : options.path;
		this.#responseMode = options.responseMode ?? 'auto';
		this.#maxBatch = options.maxBatch ?? 100;
		this.#sessions = options.sessions ?? 'required';
	}

	override async close(): Promise<void> {
		this.#deadlines.close();
		await super.close();
	}

	protected override isOurs(target: string): boolean {
		return this.#path === null || isAtPath(target, this.#path);
	}

	protected override route(exchange: HttpExchange): void {
		if (this.#sessions === 'off' && exchange.method !== 'POST') return refuse(exchange, problems.noSessions);
		switch (exchange.method) {
			case 'POST':
				return this.#post(exchange);
			case 'GET':
				return this.#get(exchange);
			case 'DELETE':
				return this.#delete(exchange);
			default:
				return refuse(exchange, problems.methodNotAllowed);
		}
	}

	#post(exchange: HttpExchange): void {
		const accept = exchange.header('accept');
		if (!accepts(accept, 'application/json') || !accepts(accept, 'text/event-stream')) {
			return refuse(exchange, problems.postNotAcceptable);
		}
		this.readBody(exchange, (value) =>
			Array.isArray(value) ? this.#postBatch(exchange, value) : this.#postMessage(exchange, value),
		);
	}

	#postMessage(exchange: HttpExchange, value: unknown): MaybePromise<void> {
		const message = readMessage(value);
		if (message === undefined) return refuse(exchange, problems.invalidRequest);
		if (this.#sessions === 'off') return this.#withoutSession(exchange, [message], false);
		if (isRequest(message) && message.method === 'initialize') return this.#initialize(exchange, message);
		if (this.#sessions === 'implicit' && isRequest(message) && sessionIdOf(exchange) === undefined)
			return this.#openFor(exchange, message);
		return this.#withSession(exchange, (session) => {
			if (isCall(message) && message.method === 'session/terminate') return this.#terminate(exchange, session, message);
			if (isRequest(message)) return this.#run(exchange, session, [message], false);
			return this.#accept(exchange, session, [message]);
		});
	}

	#postBatch(exchange: HttpExchange, values: readonly unknown[]): MaybePromise<void> {
		if (values.length === 0) return refuse(exchange, problems.emptyBatch);
		if (values.length > this.#maxBatch) return refuse(exchange, problems.largeBatch);
		const messages: JsonRpcMessage[] = [];
		for (const value of values) {
			const message = readMessage(value);
			if (message === undefined) return refuse(exchange, problems.invalidRequest);
			if (isCall(message) && message.method === 'initialize') return refuse(exchange, problems.initializeInBatch);
			messages.push(message);
		}
		if (this.#sessions === 'off') return this.#withoutSession(exchange, messages, true);
		return this.#withSession(exchange, (session) => {
			if (!hasBatches(session.record.protocolVersion)) return refuse(exchange, problems.batchNotSupported);
			const requests = messages.filter(isRequest);
			if (requests.length === 0) return this.#accept(exchange, session, messages);
			const others = messages.filter((message) => !isRequest(message));
			return this.#run(exchange, session, requests, true, others);
		});
	}

	/** Admits the request to its session, or refuses it. */
	#withSession(exchange: HttpExchange, serve: (session: NodeSession) => MaybePromise<void>): MaybePromise<void> {
		const id = sessionIdOf(exchange);
		if (id === undefined) return refuse(exchange, problems.missingSessionId);
		if (id === '') return refuse(exchange, problems.sessionNotFound);
		return this.withSession(exchange, id, serve);
	}

	async #initialize(exchange: HttpExchange, request: JsonRpcRequest): Promise<void> {
		const id = sessionIdOf(exchange);
		if (id !== undefined) {
			const known = id === '' ? undefined : await this.find(id);
			return refuse(exchange, known === undefined ? problems.sessionNotFound : problems.initializeInSession);
		}
		const params = readInitializeParams(request);
		if (typeof params === 'string') return refuse(exchange, { ...problems.invalidParams, message: params }, request.id);
		const { answer, session } = await this.host.initialize(request, params, ownerOf(exchange), exchange.extra());
		const json = JSON.stringify(answer);
		if (session === undefined) return exchange.answer(200, { 'content-type': 'application/json' }, json);
		if (this.#responseMode !== 'sse') return exchange.answerJson(session.sessionIdHeader, json);
		await new PostAnswer(this.host, session, exchange, [request], false, 'sse', this.#deadlines).respond(answer);
	}

	/** Opens a session for a request that came without one, and runs it there. */
	async #openFor(exchange: HttpExchange, request: JsonRpcRequest): Promise<void> {
		const version = versionOf(exchange);
		if (version === undefined) return refuse(exchange, problems.unsupportedVersion);
		const params = assumedInitializeParams(version);
		const initialize = { jsonrpc: '2.0', id: request.id, method: 'initialize', params } as const;
		const { answer, session } = await this.host.initialize(initialize, params, ownerOf(exchange), exchange.extra());
		if (session === undefined) return exchange.answerJson(undefined, JSON.stringify(answer));
		return this.#run(exchange, session, [request], false);
	}

	/** Serves one POST with a server that is made for it. */
	async #withoutSession(exchange: HttpExchange, messages: readonly JsonRpcMessage[], batch: boolean): Promise<void> {
		const version = versionOf(exchange);
		if (version === undefined) return refuse(exchange, problems.unsupportedVersion);
		if (batch && !hasBatches(version)) return refuse(exchange, problems.batchNotSupported);
		if (messages.some((message) => !isCall(message))) return refuse(exchange, problems.nobodyWaits);
		const requests = messages.filter(isRequest);
		if (requests.length === 0) return exchange.answer(202, {}, undefined);
		const [request] = requests;
		if (request?.method === 'initialize') {
			const params = readInitializeParams(request);
			if (typeof params === 'string')
				return refuse(exchange, { ...problems.invalidParams, message: params }, request.id);
			const session = this.host.transient(params);
			const answer = await session.initialize(request, exchange.extra());
			await session.finish('it was answered');
			return exchange.answerJson(undefined, JSON.stringify(answer));
		}
		const session = this.host.transient(assumedInitializeParams(version));
		return this.#run(exchange, session, requests, batch);
	}

	/** Runs requests of one POST. */
	#run(
		exchange: HttpExchange,
		session: NodeSession,
		requests: readonly JsonRpcRequest[],
		batch: boolean,
		others: readonly JsonRpcMessage[] = [],
	): MaybePromise<void> {
		if (batch && new Set(requests.map(({ id }) => id)).size < requests.length)
			return refuse(exchange, problems.requestIdInUse);
		if (!this.host.mayRun(session, requests.length)) return refuse(exchange, problems.tooManyRequests);
		const live = session.live();
		if (live instanceof Promise)
			return live.then((opened) => this.#runLive(exchange, session, opened, requests, batch, others));
		return this.#runLive(exchange, session, live, requests, batch, others);
	}

	#runLive(
		exchange: HttpExchange,
		session: NodeSession,
		live: LiveServer,
		requests: readonly JsonRpcRequest[],
		batch: boolean,
		others: readonly JsonRpcMessage[],
	): MaybePromise<void> {
		// The session may have ended while the live server was made.
		if (session.ended) return refuse(exchange, problems.sessionNotFound);
		for (const { id } of requests) if (live.isRunning(id)) return refuse(exchange, problems.requestIdInUse, id);
		const answer = new PostAnswer(this.host, session, exchange, requests, batch, this.#responseMode, this.#deadlines);
		const extra = exchange.extra();
		if (session.isTransient) {
			answer.ondone = () => inBackground(session.finish('it was answered'), (error) => this.host.report(error));
		} else if (
			this.host.streams.resumable &&
			canBePrimed(session.record.protocolVersion) &&
			this.#responseMode !== 'json'
		) {
			extra.closeSSEStream = () => answer.closeConnection();
			extra.closeStandaloneSSEStream = () => this.host.closeConnection(session, session.id);
		}
		for (const request of requests) live.request(request, answer, extra);
		if (others.length > 0) inBackground(this.take(session, others, extra), (error) => this.host.report(error));
	}

	/** A client that cannot send DELETE ends its session by a message; not part of MCP, but spoken by clients of wasmcp. */
	async #terminate(
		exchange: HttpExchange,
		session: NodeSession,
		message: JsonRpcRequest | JsonRpcNotification,
	): Promise<void> {
		const reason = message.params?.['reason'];
		await this.host.terminate(session.id, typeof reason === 'string' ? reason : 'the client ended it');
		if (!isRequest(message)) return exchange.answer(202, {}, undefined);
		exchange.answerJson(session.wireId, JSON.stringify({ jsonrpc: '2.0', id: message.id, result: {} }));
	}

	/** Takes notifications and answers of one POST. */
	async #accept(exchange: HttpExchange, session: NodeSession, messages: readonly JsonRpcMessage[]): Promise<void> {
		const taken = await this.take(session, messages, exchange.extra());
		if (taken || messages.length > 1) exchange.answer(202, { 'mcp-session-id': session.wireId }, undefined);
		else refuse(exchange, problems.nobodyWaits);
	}

	#get(exchange: HttpExchange): void {
		if (!accepts(exchange.header('accept'), 'text/event-stream')) return refuse(exchange, problems.getNotAcceptable);
		this.wait(exchange, () => this.#withSession(exchange, (session) => openGetStream(this.host, session, exchange)));
	}

	#delete(exchange: HttpExchange): void {
		this.wait(exchange, () =>
			this.#withSession(exchange, async (session) => {
				await this.host.terminate(session.id, 'the client ended it');
				exchange.answer(200, {}, undefined);
			}),
		);
	}
}

/** The revision that the request names, 2025-03-26 where it names none (2025-11-25, Protocol Version Header). */
function versionOf(exchange: HttpExchange): string | undefined {
	const version = exchange.header('mcp-protocol-version') ?? '2025-03-26';
	return checkProtocolVersion(exchange, '2025-03-26') === undefined ? version : undefined;
}

/** The session id of the request, `undefined` when there is none. Text that cannot be one names no session. */
function sessionIdOf(exchange: HttpExchange): string | undefined {
	const id = exchange.header('mcp-session-id');
	return id === undefined || /^[\x21-\x7e]{1,256}$/.test(id) ? id : '';
}
