import type { MaybePromise } from '@holdfast/session-manager';
import { statusOf } from '@holdfast/session-manager/custom';
import { type CreateServer, ServerTransport, type ServerTransportOptions } from '@holdfast/transport';
import {
	accepts,
	type HttpExchange,
	type HttpProblem,
	isAtPath,
	isJsonContent,
	isRequest,
	type JsonRpcMessage,
	type JsonRpcRequest,
	type LocalSession,
	problems,
	readInitializeParams,
	readMessage,
	refuse,
} from '@holdfast/transport/internal';
import { Endpoint } from './endpoint.js';
import { openStream } from './open-stream.js';
import { SentResponses } from './sent-responses.js';
import { StreamResponder } from './stream-responder.js';

/** Options of {@link SseTransport}. */
export interface SseTransportOptions extends Omit<ServerTransportOptions, 'idleTtlMs' | 'retryMs'> {
	/**
	 * The path of the streams.
	 * @default '/sse'
	 */
	readonly path?: string;
	/**
	 * The path to which clients POST their messages. It must differ from `path`.
	 * @default '/messages'
	 */
	readonly endpoint?: string;
	/**
	 * The path or URL to which clients are told to POST, where a proxy in front changes it. A URL must have the origin
	 * that clients use.
	 * @default the value of `endpoint`
	 */
	readonly publicEndpoint?: string;
	/**
	 * How long a session lives without its stream, and how long a client may take to send `initialize`, in milliseconds;
	 * more than 0.
	 * @default 30_000
	 */
	readonly graceMs?: number;
}

/**
 * Serves MCP over HTTP+SSE (2024-11-05). `createServer` makes an SDK server for each session and node. {@link handle}
 * serves `node:http` and frameworks built on it, {@link respond} serves fetch runtimes; both behave the same. A client
 * may POST to any node that shares the managers; everything for it goes on its session's stream, whichever node holds
 * that.
 *
 * @example
 * ```ts source="test/examples/sse-transport.examples.ts#alone"
 * const transport = new SseTransport((session) => createMcpServer(session));
 * const server = createServer(transport.handle);
 * server.listen(3000, '127.0.0.1');
 * ```
 *
 * @example
 * ```ts source="test/examples/sse-transport.examples.ts#besideHttp"
 * const http = new HttpTransport(createMcpServer, { sessionManager });
 * const sse = new SseTransport(createMcpServer, { sessionManager });
 * const server = createServer((request, response) => {
 * 	http.handle(request, response, () => sse.handle(request, response));
 * });
 * ```
 */
export class SseTransport extends ServerTransport {
	readonly #path: string;
	readonly #endpoint: Endpoint;
	readonly #responders = new WeakMap<LocalSession, StreamResponder>();
	readonly #sent: SentResponses;

	constructor(createServer: CreateServer, options: SseTransportOptions = {}) {
		const { path = '/sse', endpoint = '/messages', publicEndpoint = endpoint, graceMs = 30_000, ...rest } = options;
		if (!(graceMs > 0)) throw new TypeError('graceMs must be more than 0: clients need time to send initialize.');
		if (path === endpoint) throw new TypeError('path and endpoint must differ.');
		super(createServer, { ...rest, idleTtlMs: graceMs }, 'sse');
		this.#path = path;
		this.#endpoint = new Endpoint(endpoint, publicEndpoint);
		this.#sent = new SentResponses(this.host.context.clock);
		this.host.bus.on('responses-lost', ({ sessionId }) => this.#resend(sessionId));
	}

	override async close(): Promise<void> {
		await super.close();
		this.#sent.close();
	}

	protected override isOurs(target: string): boolean {
		return isAtPath(target, this.#path) || isAtPath(target, this.#endpoint.path);
	}

	protected override examine(
		exchange: HttpExchange,
		target: string,
	): HttpProblem | { readonly sessionId: string | undefined } {
		const isStream = isAtPath(target, this.#path);
		const method = isStream ? 'GET' : 'POST';
		if (exchange.method !== method) return { ...problems.methodNotAllowed, headers: { allow: `${method}, OPTIONS` } };
		if (isStream) {
			// Clients of this revision need not send `Accept`.
			const accept = exchange.header('accept');
			if (accept !== undefined && !accepts(accept, 'text/event-stream')) return problems.getNotAcceptable;
			return { sessionId: undefined };
		}
		if (!isJsonContent(exchange.header('content-type'))) return problems.notJson;
		const sessionId = this.#endpoint.sessionIdIn(target);
		if (sessionId === undefined) return problems.missingSessionIdInQuery;
		return sessionId === '' ? problems.sessionNotFound : { sessionId };
	}

	protected override route(
		exchange: HttpExchange,
		session: LocalSession | undefined,
		body: unknown,
	): MaybePromise<void> {
		if (session !== undefined) return this.#post(exchange, session, body);
		return openStream(
			this.host,
			exchange,
			(opened) => this.#responderOf(opened),
			(sessionId) => this.#endpoint.uriOf(sessionId),
			(sessionId) => this.#onlost(sessionId),
		);
	}

	/** Responses for a stream that this node holds may be lost: whoever sent some lately sends them again. */
	#onlost(sessionId: string): void {
		this.#resend(sessionId);
		this.host.context.background(() => this.host.bus.tellAll({ type: 'responses-lost', sessionId }));
	}

	#resend(sessionId: string): void {
		const { context } = this.host;
		this.#sent.resend(sessionId, (event) => context.background(() => context.streams.send([sessionId], event)));
	}

	#post(exchange: HttpExchange, session: LocalSession, body: unknown): MaybePromise<void> {
		if (Array.isArray(body)) return refuse(exchange, problems.batchNotSupported);
		const message = readMessage(body);
		if (message === undefined) return refuse(exchange, problems.invalidRequest);
		return this.#accept(exchange, session, message);
	}

	async #accept(exchange: HttpExchange, session: LocalSession, message: JsonRpcMessage): Promise<void> {
		if (isRequest(message) && message.method === 'initialize') return this.#initialize(exchange, session, message);
		// Another node may have initialized the session a moment ago.
		if (statusOf(session.record) === 'opening') await this.host.sessions.reload(session);
		if (session.ended) return refuse(exchange, problems.sessionNotFound);
		if (statusOf(session.record) === 'opening') return this.#acceptBeforeInitialize(exchange, session, message);
		if (isRequest(message)) return this.#run(exchange, session, message);
		const taken = await this.host.router.take(session, [message], exchange.extra());
		if (taken) exchange.respond(202, {}, undefined);
		else refuse(exchange, problems.nobodyWaits);
	}

	async #initialize(exchange: HttpExchange, session: LocalSession, request: JsonRpcRequest): Promise<void> {
		if (statusOf(session.record) !== 'opening') return refuse(exchange, problems.initializeInSession);
		const responder = this.#responderOf(session);
		const params = readInitializeParams(request);
		if (typeof params === 'string') {
			exchange.respond(202, {}, undefined);
			const error = { code: problems.invalidParams.code, message: params };
			return responder.respond({ jsonrpc: '2.0', id: request.id, error });
		}
		const response = await this.host.factory.complete(session, request, params, exchange.extra());
		if (response === undefined)
			return refuse(exchange, session.ended ? problems.sessionNotFound : problems.initializeInSession);
		exchange.respond(202, {}, undefined);
		return responder.open(response);
	}

	/**
	 * Serves a message before `initialize`: a client may send nothing but pings then (2024-11-05, Lifecycle,
	 * Initialization).
	 */
	#acceptBeforeInitialize(exchange: HttpExchange, session: LocalSession, message: JsonRpcMessage): MaybePromise<void> {
		if (!isRequest(message) || message.method !== 'ping') return refuse(exchange, problems.notInitialized);
		exchange.respond(202, {}, undefined);
		return this.#responderOf(session).respond({ jsonrpc: '2.0', id: message.id, result: {} });
	}

	async #run(exchange: HttpExchange, session: LocalSession, request: JsonRpcRequest): Promise<void> {
		if (!session.mayRun(1)) return refuse(exchange, problems.tooManyRequests);
		const live = await session.live();
		// The session may have ended while the live server was made.
		if (session.ended) return refuse(exchange, problems.sessionNotFound);
		if (live.isRunning(request.id)) return refuse(exchange, problems.requestIdInUse, request.id);
		const responder = this.#responderOf(session);
		responder.begin(request.id);
		exchange.respond(202, {}, undefined);
		live.request(request, responder, exchange.extra(), exchange.lease);
	}

	#responderOf(session: LocalSession): StreamResponder {
		let responder = this.#responders.get(session);
		if (responder === undefined) {
			responder = new StreamResponder(this.host, session, this.#sent);
			this.#responders.set(session, responder);
		}
		return responder;
	}
}
