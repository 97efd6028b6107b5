import type { MaybePromise } from '@holdfast/session-manager';
import { statusOf, whenReady } from '@holdfast/session-manager/custom';
import { checkOptions, ms, type OptionSchemas, path, text } from '@holdfast/session-manager/internal';
import { type CreateServer, ServerTransport, type ServerTransportOptions } from '@holdfast/transport';
import {
	accepts,
	assumedInitializeParams,
	ErrorCode,
	type HttpExchange,
	type HttpProblem,
	isAtPath,
	isJsonContent,
	isRequest,
	type JsonRpcFailure,
	type JsonRpcMessage,
	type JsonRpcRequest,
	type JsonRpcResult,
	type LocalSession,
	problems,
	readInitializeParams,
	readMessage,
	refuse,
	serverTransportSchemas,
	withoutSlash,
} from '@holdfast/transport/internal';
import { Endpoint } from './endpoint.js';
import { LostResponses } from './lost-responses.js';
import { openStream } from './open-stream.js';
import { SentResponses } from './sent-responses.js';
import { StreamHolds } from './stream-holds.js';
import { StreamResponder } from './stream-responder.js';

/** What requests get that come before `initialize` and open no session, by method. */
const earlyAnswers: ReadonlyMap<string, Pick<JsonRpcResult, 'result'> | Pick<JsonRpcFailure, 'error'>> = new Map([
	['ping', { result: {} }],
	['server/discover', { error: { code: ErrorCode.METHOD_NOT_FOUND, message: 'Method not found' } }],
]);

/** Options of {@link SseTransport}. */
export interface SseTransportOptions extends Omit<ServerTransportOptions, 'idleTtlMs' | 'unusedTtlMs'> {
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
	 * How long a client may take to send its first request, and how long a session of a node that died stays in the
	 * store, in milliseconds; more than 0.
	 * @default 30_000
	 */
	readonly graceMs?: number;
}

const { idleTtlMs: _, unusedTtlMs: __, ...shared } = serverTransportSchemas;
const schemas: OptionSchemas<SseTransportOptions> = {
	...shared,
	path,
	endpoint: path,
	publicEndpoint: text,
	graceMs: ms,
};

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
	readonly #lost: LostResponses;
	readonly #holds: StreamHolds;

	constructor(createServer: CreateServer, options: SseTransportOptions = {}) {
		checkOptions('SseTransport', schemas, options);
		const { path = '/sse', endpoint = '/messages', publicEndpoint = endpoint, graceMs = 30_000, ...rest } = options;
		if (!(graceMs > 0)) throw new TypeError('graceMs must be more than 0: clients need time to send initialize.');
		if (path === endpoint) throw new TypeError('path and endpoint must differ.');
		super(createServer, { ...rest, idleTtlMs: graceMs, unusedTtlMs: 0 }, 'sse');
		this.#path = withoutSlash(path);
		this.#endpoint = new Endpoint(endpoint, publicEndpoint);
		this.#sent = new SentResponses(this.host.context.clock);
		this.#holds = new StreamHolds(this.host);
		this.#lost = new LostResponses(this.host, this.#sent);
	}

	override async close(): Promise<void> {
		this.#holds.close();
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
			this.#holds,
			exchange,
			(opened) => this.#responderOf(opened),
			(sessionId) => this.#endpoint.uriOf(sessionId),
			(sessionId) => this.#lost.report(sessionId),
		);
	}

	#post(exchange: HttpExchange, session: LocalSession, body: unknown): MaybePromise<void> {
		if (Array.isArray(body)) return refuse(exchange, problems.batchNotSupported);
		const message = readMessage(body);
		if (message === undefined) return refuse(exchange, problems.invalidRequest);
		return whenReady(this.#hasStream(session), (hasStream) =>
			hasStream ? this.#accept(exchange, session, message) : this.#endWithoutStream(exchange, session),
		);
	}

	/** Whether the client has a stream, and keeps it. */
	#hasStream(session: LocalSession): MaybePromise<boolean> {
		const held = this.#holds.of(session.id);
		if (held === undefined) return this.#responderOf(session).hasStream();
		return held.then((stays) => stays && this.#responderOf(session).hasStream());
	}

	/** Nobody would hear what a call returns. The store may still know the session of a node that died. */
	#endWithoutStream(exchange: HttpExchange, session: LocalSession): void {
		if (!session.ended)
			this.host.context.background(() => this.host.lifecycle.terminate(session.id, 'its stream is gone'));
		refuse(exchange, problems.sessionNotFound);
	}

	async #accept(exchange: HttpExchange, session: LocalSession, message: JsonRpcMessage): Promise<void> {
		if (isRequest(message) && message.method === 'initialize') return this.#initialize(exchange, session, message);
		// Another node may have initialized the session a moment ago.
		if (statusOf(session.record) === 'opening') await this.host.sessions.reload(session);
		if (session.ended) return refuse(exchange, problems.sessionNotFound);
		if (statusOf(session.record) === 'opening') return this.#acceptBeforeInitialize(exchange, session, message);
		return this.#acceptInSession(exchange, session, message);
	}

	async #acceptInSession(exchange: HttpExchange, session: LocalSession, message: JsonRpcMessage): Promise<void> {
		if (isRequest(message)) return this.#run(exchange, session, message);
		await this.host.router.take(session, [message], exchange.extra());
		exchange.respond(202, {}, undefined);
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
	 * Serves a message before `initialize`. Pings are answered (2024-11-05, Lifecycle, Initialization), and a client that
	 * looks for a newer revision is told that there is none. Any other request comes from a client that lost its stream
	 * and has opened another: `EventSource` does that by itself, and nobody sends `initialize` again.
	 */
	#acceptBeforeInitialize(exchange: HttpExchange, session: LocalSession, message: JsonRpcMessage): MaybePromise<void> {
		if (isRequest(message)) {
			const { id, method } = message;
			const answer = earlyAnswers.get(method);
			if (answer === undefined) return this.#openImplicitly(exchange, session, message);
			exchange.respond(202, {}, undefined);
			return this.#responderOf(session).respond({ jsonrpc: '2.0', id, ...answer });
		}
		// What it tells or answers belongs to the session that it had before.
		exchange.respond(202, {}, undefined);
	}

	/** Opens a session for the first request of a client that does not send `initialize`, and runs the request. */
	async #openImplicitly(exchange: HttpExchange, session: LocalSession, request: JsonRpcRequest): Promise<void> {
		const params = assumedInitializeParams(exchange.header('mcp-protocol-version') ?? session.record.protocolVersion);
		const initialize = { jsonrpc: '2.0', id: request.id, method: 'initialize', params } as const;
		const response = await this.host.factory.complete(session, initialize, params, exchange.extra());
		const responder = this.#responderOf(session);
		if (response !== undefined && 'error' in response) {
			exchange.respond(202, {}, undefined);
			return responder.respond(response);
		}
		// Where another request has opened it, on whichever node, this one runs in it.
		if (response === undefined) await this.host.sessions.reload(session);
		if (session.ended || statusOf(session.record) === 'opening') return refuse(exchange, problems.sessionNotFound);
		responder.openImplicitly();
		return this.#acceptInSession(exchange, session, request);
	}

	async #run(exchange: HttpExchange, session: LocalSession, request: JsonRpcRequest): Promise<void> {
		const { id } = request;
		const responder = this.#responderOf(session);
		if (!session.mayRun(1)) return refuse(exchange, problems.tooManyRequests, id);
		if (responder.isAnnounced(id)) return refuse(exchange, problems.requestIdInUse, id);
		await responder.begin(id);
		let problem: HttpProblem;
		try {
			const live = await session.live();
			// Meanwhile the session may have ended, and others may have come.
			if (session.ended) problem = problems.sessionNotFound;
			else if (!session.mayRun(1)) problem = problems.tooManyRequests;
			else if (live.isRunning(id)) problem = problems.requestIdInUse;
			else {
				exchange.respond(202, {}, undefined);
				return live.request(request, responder, exchange.extra(), exchange.lease);
			}
		} catch (error) {
			responder.cancelled(id);
			throw error;
		}
		responder.cancelled(id);
		refuse(exchange, problem, id);
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
