import type { MaybePromise } from '@holdfast/session-manager';
import { type CreateServer, ServerTransport, type ServerTransportOptions } from '@holdfast/transport';
import {
	accepts,
	type HttpExchange,
	type HttpProblem,
	isAtPath,
	isJsonContent,
	isSessionId,
	type LocalSession,
	problems,
	refuse,
} from '@holdfast/transport/internal';
import { openGetStream } from './get-stream.js';
import { PostHandler, type PostOptions } from './post.js';

/** Options of {@link HttpTransport}. */
export interface HttpTransportOptions extends ServerTransportOptions, PostOptions {
	/**
	 * The path of the endpoint; `null`: every path.
	 * @default '/mcp'
	 */
	readonly path?: string | null;
}

/**
 * Serves MCP over Streamable HTTP (2025-03-26, 2025-06-18 and 2025-11-25). `createServer` makes an SDK server for each
 * session and node. {@link handle} serves `node:http` and frameworks built on it, {@link respond} serves fetch
 * runtimes; both behave the same. Any node that shares the managers can serve any request of a session. Without
 * options, everything is kept in memory, and only requests to the local machine's names are let through.
 *
 * @example
 * ```ts source="test/examples/http-transport.examples.ts#nodeHttp"
 * const transport = new HttpTransport((session) => createMcpServer(session));
 * const server = createServer(transport.handle);
 * server.listen(3000, '127.0.0.1');
 * ```
 *
 * @example
 * ```ts source="test/examples/http-transport.examples.ts#manyNodes"
 * const transport = new HttpTransport(createMcpServer, {
 * 	sessionManager: { streams, info }, // for example of @holdfast/session-manager-redis
 * 	allowedHosts: ['mcp.example.com'],
 * 	authenticate,
 * });
 * ```
 */
export class HttpTransport extends ServerTransport {
	readonly #path: string | null;
	readonly #hasSessions: boolean;
	readonly #post: PostHandler;

	constructor(createServer: CreateServer, options: HttpTransportOptions = {}) {
		super(createServer, options);
		this.#path = options.path === undefined ? '/mcp' : options.path;
		this.#hasSessions = options.sessions !== 'off';
		this.#post = new PostHandler(this.host, options);
	}

	/** Closes every stream and live server of this node at once. Sessions in a shared store live on. Idempotent. */
	override async close(): Promise<void> {
		this.#post.close();
		await super.close();
	}

	protected override isOurs(target: string): boolean {
		return this.#path === null || isAtPath(target, this.#path);
	}

	protected override examine(exchange: HttpExchange): HttpProblem | { readonly sessionId: string | undefined } {
		const { method } = exchange;
		if (!this.#hasSessions && method !== 'POST') return problems.noSessions;
		const accept = exchange.header('accept');
		if (method === 'POST') {
			if (!accepts(accept, 'application/json') || !accepts(accept, 'text/event-stream'))
				return problems.postNotAcceptable;
			if (!isJsonContent(exchange.header('content-type'))) return problems.notJson;
		} else if (method === 'GET') {
			if (!accepts(accept, 'text/event-stream')) return problems.getNotAcceptable;
		} else if (method !== 'DELETE') return problems.methodNotAllowed;
		const sessionId = this.#hasSessions ? exchange.header('mcp-session-id') : undefined;
		if (sessionId === undefined && method !== 'POST') return problems.missingSessionId;
		// A value that cannot be an id names no session.
		return sessionId === undefined || isSessionId(sessionId) ? { sessionId } : problems.sessionNotFound;
	}

	protected override route(
		exchange: HttpExchange,
		session: LocalSession | undefined,
		body: unknown,
	): MaybePromise<void> {
		if (exchange.method === 'POST') return this.#post.serve(exchange, session, body);
		if (session === undefined) return refuse(exchange, problems.missingSessionId);
		if (exchange.method === 'GET') return openGetStream(this.host, session, exchange);
		return this.#delete(exchange, session);
	}

	async #delete(exchange: HttpExchange, session: LocalSession): Promise<void> {
		await this.host.lifecycle.terminate(session.id, 'the client ended it');
		exchange.respond(200, {}, undefined);
	}
}
