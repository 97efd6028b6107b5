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
import { StreamResponder } from './stream-responder.js';

/** Options of {@link SseTransport}. */
export interface SseTransportOptions extends Omit<ServerTransportOptions, 'idleTtlMs' | 'retryMs'> {
	/** The path of the streams (default `/sse`). */
	readonly path?: string;
	/** The path that messages are POSTed to (default `/messages`). */
	readonly endpoint?: string;
	/**
	 * Where clients are told to POST to, where that is not `endpoint`: a path, or a URL of the origin that clients use, as a proxy
	 * in front has it.
	 */
	readonly publicEndpoint?: string;
	/** How long a session outlives its stream, and a stream waits for `initialize`, in milliseconds (default 30 s). */
	readonly graceMs?: number;
}

/**
 * HTTP+SSE (2024-11-05) for a server that is made for each session: `handle` serves `node:http` and what is built on it,
 * `respond` serves fetch runtimes. A message may be POSTed to any node; what comes of it goes on the session's stream, on
 * whichever node that is.
 */
export class SseTransport extends ServerTransport {
	readonly #path: string;
	readonly #endpoint: Endpoint;
	readonly #responders = new WeakMap<LocalSession, StreamResponder>();

	constructor(createServer: CreateServer, options: SseTransportOptions = {}) {
		const { path = '/sse', endpoint = '/messages', publicEndpoint = endpoint, graceMs = 30_000, ...rest } = options;
		if (!(graceMs > 0)) throw new TypeError('graceMs must be more than 0: a session needs a moment to be initialized.');
		if (path === endpoint) throw new TypeError('path and endpoint must differ.');
		super(createServer, { ...rest, idleTtlMs: graceMs }, 'sse');
		this.#path = path;
		this.#endpoint = new Endpoint(endpoint, publicEndpoint);
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
			// Clients of this revision need not say what they accept.
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
			(sessionId) => this.#endpoint.of(sessionId),
		);
	}

	#post(exchange: HttpExchange, session: LocalSession, body: unknown): MaybePromise<void> {
		if (Array.isArray(body)) return refuse(exchange, problems.batchNotSupported);
		const message = readMessage(body);
		if (message === undefined) return refuse(exchange, problems.invalidRequest);
		return this.#take(exchange, session, message);
	}

	async #take(exchange: HttpExchange, session: LocalSession, message: JsonRpcMessage): Promise<void> {
		if (isRequest(message) && message.method === 'initialize') return this.#initialize(exchange, session, message);
		// It may have been initialized on another node a moment ago.
		if (statusOf(session.record) === 'opening') await this.host.sessions.reload(session);
		if (session.ended) return refuse(exchange, problems.sessionNotFound);
		if (statusOf(session.record) === 'opening') return this.#takeEarly(exchange, session, message);
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

	/** Before `initialize`, a client may send nothing but pings (2024-11-05, Lifecycle, Initialization). */
	#takeEarly(exchange: HttpExchange, session: LocalSession, message: JsonRpcMessage): MaybePromise<void> {
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
		live.request(request, responder, exchange.extra());
	}

	#responderOf(session: LocalSession): StreamResponder {
		let responder = this.#responders.get(session);
		if (responder === undefined) {
			responder = new StreamResponder(this.host, session);
			this.#responders.set(session, responder);
		}
		return responder;
	}
}
