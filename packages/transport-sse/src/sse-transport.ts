import { type MaybePromise, statusOf } from '@holdfast/session-manager';
import {
	accepts,
	type CreateServer,
	type HttpExchange,
	isAtPath,
	isRequest,
	type JsonRpcMessage,
	type JsonRpcRequest,
	type NodeSession,
	problems,
	readInitializeParams,
	readMessage,
	refuse,
	ServerTransport,
	type ServerTransportOptions,
} from '@holdfast/transport';
import { Endpoint } from './endpoint.js';
import { SessionChannel } from './session-channel.js';
import { openStream } from './session-stream.js';

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
	readonly #channels = new WeakMap<NodeSession, SessionChannel>();

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

	protected override route(exchange: HttpExchange, target: string): void {
		const isStream = isAtPath(target, this.#path);
		const method = isStream ? 'GET' : 'POST';
		if (exchange.method !== method)
			return refuse(exchange, { ...problems.methodNotAllowed, headers: { allow: `${method}, OPTIONS` } });
		if (isStream) this.#get(exchange);
		else this.#post(exchange, target);
	}

	#get(exchange: HttpExchange): void {
		// Clients of this revision need not say what they accept.
		const accept = exchange.header('accept');
		if (accept !== undefined && !accepts(accept, 'text/event-stream'))
			return refuse(exchange, problems.getNotAcceptable);
		this.wait(exchange, () =>
			openStream(
				this.host,
				exchange,
				(session) => this.#channelOf(session),
				(sessionId) => this.#endpoint.of(sessionId),
			),
		);
	}

	#post(exchange: HttpExchange, target: string): void {
		this.readBody(exchange, (value) => {
			if (Array.isArray(value)) return refuse(exchange, problems.batchNotSupported);
			const message = readMessage(value);
			if (message === undefined) return refuse(exchange, problems.invalidRequest);
			const id = this.#endpoint.sessionIdIn(target);
			if (id === undefined) return refuse(exchange, problems.missingSessionIdInQuery);
			if (id === '') return refuse(exchange, problems.sessionNotFound);
			return this.withSession(exchange, id, (session) => this.#take(exchange, session, message));
		});
	}

	async #take(exchange: HttpExchange, session: NodeSession, message: JsonRpcMessage): Promise<void> {
		if (isRequest(message) && message.method === 'initialize') return this.#initialize(exchange, session, message);
		// It may have been initialized on another node a moment ago.
		if (statusOf(session.record) === 'opening') await this.host.reload(session);
		if (session.ended) return refuse(exchange, problems.sessionNotFound);
		if (statusOf(session.record) === 'opening') return this.#takeEarly(exchange, session, message);
		if (isRequest(message)) return this.#run(exchange, session, message);
		const taken = await this.take(session, [message], exchange.extra());
		if (taken) exchange.answer(202, {}, undefined);
		else refuse(exchange, problems.nobodyWaits);
	}

	async #initialize(exchange: HttpExchange, session: NodeSession, request: JsonRpcRequest): Promise<void> {
		if (statusOf(session.record) !== 'opening') return refuse(exchange, problems.initializeInSession);
		const channel = this.#channelOf(session);
		const params = readInitializeParams(request);
		if (typeof params === 'string') {
			exchange.answer(202, {}, undefined);
			const error = { code: problems.invalidParams.code, message: params };
			return channel.respond({ jsonrpc: '2.0', id: request.id, error });
		}
		const answer = await this.host.complete(session, request, params, exchange.extra());
		if (answer === undefined)
			return refuse(exchange, session.ended ? problems.sessionNotFound : problems.initializeInSession);
		exchange.answer(202, {}, undefined);
		return channel.open(answer);
	}

	/** Before `initialize`, a client may send nothing but pings (2024-11-05, Lifecycle, Initialization). */
	#takeEarly(exchange: HttpExchange, session: NodeSession, message: JsonRpcMessage): MaybePromise<void> {
		if (!isRequest(message) || message.method !== 'ping') return refuse(exchange, problems.notInitialized);
		exchange.answer(202, {}, undefined);
		return this.#channelOf(session).respond({ jsonrpc: '2.0', id: message.id, result: {} });
	}

	async #run(exchange: HttpExchange, session: NodeSession, request: JsonRpcRequest): Promise<void> {
		if (!this.host.mayRun(session, 1)) return refuse(exchange, problems.tooManyRequests);
		const live = await session.live();
		// The session may have ended while the live server was made.
		if (session.ended) return refuse(exchange, problems.sessionNotFound);
		if (live.isRunning(request.id)) return refuse(exchange, problems.requestIdInUse, request.id);
		const channel = this.#channelOf(session);
		channel.begin(request.id);
		exchange.answer(202, {}, undefined);
		live.request(request, channel, exchange.extra());
	}

	#channelOf(session: NodeSession): SessionChannel {
		let channel = this.#channels.get(session);
		if (channel === undefined) {
			channel = new SessionChannel(this.host, session);
			this.#channels.set(session, channel);
		}
		return channel;
	}
}
