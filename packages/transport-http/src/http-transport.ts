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
	/** The path of the endpoint (default `/mcp`); `null`: every path. */
	readonly path?: string | null;
}

/**
 * Streamable HTTP (2025-03-26, 2025-06-18 and 2025-11-25) for a server that is made for each session: `handle` serves
 * `node:http` and what is built on it, `respond` serves fetch runtimes. Both behave the same.
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
		// Text that cannot be an id names no session.
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
