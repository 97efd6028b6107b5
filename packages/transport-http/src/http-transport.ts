import type { IncomingMessage, ServerResponse } from 'node:http';
import type { MaybePromise } from '@holdfast/session-manager';
import {
	Authentication,
	type AuthenticationOptions,
	type AuthInfo,
	type CreateServer,
	canBePrimed,
	FetchExchange,
	type HttpExchange,
	type HttpProblem,
	hasBatches,
	inBackground,
	isCall,
	isRequest,
	type JsonRpcMessage,
	type JsonRpcNotification,
	type JsonRpcRequest,
	type LiveServer,
	type MessageExtra,
	NodeExchange,
	type NodeRequest,
	type NodeSession,
	type Notifier,
	ownerOf,
	problemOf,
	problems,
	RequestGuard,
	type RequestGuardOptions,
	readInitializeParams,
	readMessage,
	refuse,
	SessionHost,
	type SessionHostOptions,
	type SessionHostStats,
	toError,
	tokenEndOf,
} from '@holdfast/transport';
import { AnswerDeadlines } from './answer-deadlines.js';
import { PostAnswer, type ResponseMode } from './post-answer.js';
import { accepts, checkProtocolVersion, isJsonContent, sessionIdOf } from './request-headers.js';
import { openGetStream } from './session-stream.js';

/** Options of {@link HttpTransport}. */
export interface HttpTransportOptions extends SessionHostOptions, RequestGuardOptions, AuthenticationOptions {
	/** The path of the endpoint (default `/mcp`); `null`: every path. */
	readonly path?: string | null;
	/** How requests are answered (default `auto`). */
	readonly responseMode?: ResponseMode;
	/** After how long an answer that is still open becomes a stream, in milliseconds (default 200), with `responseMode: 'auto'`. */
	readonly sseAfterMs?: number;
	/** The longest body, in bytes (default 4 MiB); a longer one is refused before it is parsed. */
	readonly maxBodyBytes?: number;
	/** Messages in a batch (default 100). */
	readonly maxBatch?: number;
}

/**
 * Streamable HTTP (2025-03-26, 2025-06-18 and 2025-11-25) for a server that is made for each session: `handle` serves
 * `node:http` and what is built on it, `respond` serves fetch runtimes. Both behave the same.
 */
export class HttpTransport {
	readonly #host: SessionHost;
	readonly #guard: RequestGuard;
	readonly #authentication: Authentication;
	readonly #deadlines: AnswerDeadlines;
	readonly #path: string | null;
	readonly #responseMode: ResponseMode;
	readonly #maxBodyBytes: number;
	readonly #maxBatch: number;

	constructor(createServer: CreateServer, options: HttpTransportOptions = {}) {
		this.#host = new SessionHost(createServer, options);
		this.#guard = new RequestGuard(options);
		this.#authentication = new Authentication(options);
		this.#deadlines = new AnswerDeadlines(this.#host.clock, options.sseAfterMs ?? 200);
		this.#path = options.path === undefined ? '/mcp' : options.path;
		this.#responseMode = options.responseMode ?? 'auto';
		this.#maxBodyBytes = options.maxBodyBytes ?? 4 * 1024 * 1024;
		this.#maxBatch = options.maxBatch ?? 100;
	}

	/** Names this node among those that share the managers; random at start. */
	get nodeId(): string {
		return this.#host.nodeId;
	}

	/** Tells clients of changes, whichever node holds their streams. */
	get notify(): Notifier {
		return this.#host.notify;
	}

	/**
	 * Serves a request of `node:http`, or of what is built on it. A request for another path is passed on to `next`, or answered
	 * with 404 where there is none. Never throws.
	 */
	readonly handle = (request: IncomingMessage, response: ServerResponse, next?: unknown): void => {
		const { originalUrl, url } = request as NodeRequest;
		const exchange = new NodeExchange(request, response);
		if (this.#isOurs(originalUrl ?? url ?? '/')) this.#serve(exchange);
		else if (typeof next === 'function') next();
		else refuse(exchange, problems.notFound);
	};

	/** Serves a request of a fetch runtime; `null` for another path. `authInfo` is passed to the server's handlers. Never rejects. */
	readonly respond = (
		request: Request,
		context: { readonly authInfo?: AuthInfo | undefined } = {},
	): Promise<Response | null> => {
		if (this.#path !== null && !this.#isOurs(pathOf(request.url))) return Promise.resolve(null);
		const exchange = new FetchExchange(request, context.authInfo);
		this.#serve(exchange);
		return exchange.response;
	};

	/** Ends a session on every node, as if its client had: its calls fail, its streams close, its id is unknown from then on. */
	terminate(sessionId: string, reason: string): Promise<void> {
		return this.#host.terminate(sessionId, reason);
	}

	/** Frees the live server of a session on this node, unless it is busy (`false`). The next request makes it again. */
	release(sessionId: string): Promise<boolean> {
		return this.#host.release(sessionId);
	}

	/** Whether the store answers, so that every request can be served; for readiness probes. Answers within about a second. */
	isReady(): Promise<boolean> {
		return this.#host.isReady();
	}

	/** Counts for operators and for tests of leaks. */
	stats(): SessionHostStats {
		return this.#host.stats();
	}

	/** Closes every stream and live server of this node; sessions in a shared store live on. Idempotent. */
	async close(): Promise<void> {
		this.#deadlines.close();
		await this.#host.close();
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.close();
	}

	#isOurs(url: string): boolean {
		const path = this.#path;
		if (path === null || url === path) return true;
		return url.startsWith(path) && url[path.length] === '?';
	}

	#serve(exchange: HttpExchange): void {
		try {
			const problem = this.#guard.check(exchange);
			if (problem !== undefined) return refuse(exchange, problem);
			if (this.#host.closed) return refuse(exchange, problems.closing);
			// A preflight request carries no credentials.
			if (exchange.method === 'OPTIONS') return this.#guard.preflight(exchange);
			const checked = this.#authentication.check(exchange);
			if (checked instanceof Promise) this.#wait(exchange, () => checked.then((found) => this.#route(exchange, found)));
			else this.#route(exchange, checked);
		} catch (error) {
			this.#fail(exchange, error);
		}
	}

	#route(exchange: HttpExchange, problem: HttpProblem | undefined): void {
		if (problem !== undefined) return refuse(exchange, problem);
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

	#fail(exchange: HttpExchange, error: unknown): void {
		const problem = problemOf(error);
		if (problem.status >= 500) this.#host.report(toError(error));
		refuse(exchange, problem);
	}

	#post(exchange: HttpExchange): void {
		const accept = exchange.header('accept');
		if (!accepts(accept, 'application/json') || !accepts(accept, 'text/event-stream')) {
			return refuse(exchange, problems.postNotAcceptable);
		}
		if (!isJsonContent(exchange.header('content-type'))) return refuse(exchange, problems.notJson);
		exchange.readJson(this.#maxBodyBytes, (value, problem) => {
			if (problem !== undefined) return refuse(exchange, problem);
			try {
				this.#wait(exchange, () =>
					Array.isArray(value) ? this.#postBatch(exchange, value) : this.#postMessage(exchange, value),
				);
			} catch (error) {
				this.#fail(exchange, error);
			}
		});
	}

	#postMessage(exchange: HttpExchange, value: unknown): MaybePromise<void> {
		const message = readMessage(value);
		if (message === undefined) return refuse(exchange, problems.invalidRequest);
		if (isRequest(message) && message.method === 'initialize') return this.#initialize(exchange, message);
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
		const found = id === '' ? undefined : this.#host.find(id);
		if (found instanceof Promise) return found.then((session) => this.#admit(exchange, session, serve));
		return this.#admit(exchange, found, serve);
	}

	#admit(
		exchange: HttpExchange,
		session: NodeSession | undefined,
		serve: (session: NodeSession) => MaybePromise<void>,
	): MaybePromise<void> {
		if (session === undefined) return refuse(exchange, problems.sessionNotFound);
		const { principal, protocolVersion } = session.record;
		const problem =
			this.#authentication.checkOwner(exchange, principal) ?? checkProtocolVersion(exchange, protocolVersion);
		if (problem !== undefined) return refuse(exchange, problem);
		if (principal !== undefined) this.#host.prolong(session, tokenEndOf(exchange.authInfo));
		return serve(session);
	}

	async #initialize(exchange: HttpExchange, request: JsonRpcRequest): Promise<void> {
		const id = sessionIdOf(exchange);
		if (id !== undefined) {
			const known = id === '' ? undefined : await this.#host.find(id);
			return refuse(exchange, known === undefined ? problems.sessionNotFound : problems.initializeInSession);
		}
		const params = readInitializeParams(request);
		if (typeof params === 'string') return refuse(exchange, { ...problems.invalidParams, message: params }, request.id);
		const { answer, session } = await this.#host.initialize(request, params, ownerOf(exchange), exchange.extra());
		const json = JSON.stringify(answer);
		if (session === undefined) return exchange.answer(200, { 'content-type': 'application/json' }, json);
		if (this.#responseMode !== 'sse') return exchange.answerJson(session.id, json);
		await new PostAnswer(this.#host, session, exchange, [request], false, 'sse', this.#deadlines).respond(answer);
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
		if (!this.#host.mayRun(session, requests.length)) return refuse(exchange, problems.tooManyRequests);
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
		const answer = new PostAnswer(this.#host, session, exchange, requests, batch, this.#responseMode, this.#deadlines);
		const extra = exchange.extra();
		if (this.#host.streams.resumable && canBePrimed(session.record.protocolVersion) && this.#responseMode !== 'json') {
			extra.closeSSEStream = () => answer.closeConnection();
			extra.closeStandaloneSSEStream = () => this.#host.closeConnection(session, session.id);
		}
		for (const request of requests) live.request(request, answer, extra);
		if (others.length > 0) inBackground(this.#take(session, others, extra), (error) => this.#host.report(error));
	}

	/** A client that cannot send DELETE ends its session by a message; not part of MCP, but spoken by clients of wasmcp. */
	async #terminate(
		exchange: HttpExchange,
		session: NodeSession,
		message: JsonRpcRequest | JsonRpcNotification,
	): Promise<void> {
		const reason = message.params?.['reason'];
		await this.#host.terminate(session.id, typeof reason === 'string' ? reason : 'the client ended it');
		if (!isRequest(message)) return exchange.answer(202, {}, undefined);
		exchange.answerJson(session.id, JSON.stringify({ jsonrpc: '2.0', id: message.id, result: {} }));
	}

	/** Takes notifications and answers of one POST. */
	async #accept(exchange: HttpExchange, session: NodeSession, messages: readonly JsonRpcMessage[]): Promise<void> {
		const taken = await this.#take(session, messages, exchange.extra());
		if (taken || messages.length > 1) exchange.answer(202, { 'mcp-session-id': session.id }, undefined);
		else refuse(exchange, problems.nobodyWaits);
	}

	/** Gives notifications and answers to whom they are for; `false` when one is an answer that nobody waits for. */
	async #take(session: NodeSession, messages: readonly JsonRpcMessage[], extra: MessageExtra): Promise<boolean> {
		let taken = true;
		for (const message of messages) {
			if (!isCall(message) || routedNotifications.has(message.method)) {
				taken = (await this.#host.deliver(session, message, extra)) && taken;
			} else {
				const live = await session.live();
				if (!isRequest(message)) live.notify(message, extra);
			}
		}
		return taken;
	}

	#get(exchange: HttpExchange): void {
		if (!accepts(exchange.header('accept'), 'text/event-stream')) return refuse(exchange, problems.getNotAcceptable);
		this.#wait(exchange, () => this.#withSession(exchange, (session) => openGetStream(this.#host, session, exchange)));
	}

	#delete(exchange: HttpExchange): void {
		this.#wait(exchange, () =>
			this.#withSession(exchange, async (session) => {
				await this.#host.terminate(session.id, 'the client ended it');
				exchange.answer(200, {}, undefined);
			}),
		);
	}

	#wait(exchange: HttpExchange, serve: () => MaybePromise<void>): void {
		const served = serve();
		if (served instanceof Promise) served.catch((error: unknown) => this.#fail(exchange, error));
	}
}

/** Notifications about a request: they go where it runs or waits, which may be another node. */
const routedNotifications: ReadonlySet<string> = new Set(['notifications/cancelled', 'notifications/progress']);

/** The path of an absolute URL, with its query, without parsing the rest. */
function pathOf(url: string): string {
	const start = url.indexOf('/', url.indexOf('//') + 2);
	return start === -1 ? '/' : url.slice(start);
}
