import type { IncomingMessage, ServerResponse } from 'node:http';
import type { MaybePromise, SessionRecord } from '@holdfast/session-manager';
import { isThenable, whenReady } from '@holdfast/session-manager/custom';
import type { DrainOptions } from './drain.js';
import { Authentication } from './http/authentication.js';
import { type HttpExchange, refuse } from './http/exchange.js';
import { FetchHttpExchange } from './http/fetch-http.js';
import { NodeHttpExchange, type NodeRequest } from './http/node-http.js';
import { tokenEndOf } from './http/principal.js';
import { type HttpProblem, problemOf, problems } from './http/problems.js';
import { RequestGuard } from './http/request-guard.js';
import { checkProtocolVersion } from './http/request-headers.js';
import type { NodeStats, ServerTransportOptions } from './options.js';
import type { AuthInfo, CreateServer } from './protocol/sdk.js';
import type { LocalSession } from './session/local-session.js';
import type { Notifier } from './session/notifier.js';
import type { PrincipalData } from './session/principal-data.js';
import { SessionHost } from './session-host.js';

/**
 * What every transport over HTTP is: the sessions of this node behind the doors `handle` (`node:http` and what is built on it)
 * and `respond` (fetch runtimes), which behave the same. A request goes one way: guard, who asks, session, body, then
 * {@link route}; whatever fails becomes a response. A subclass says which requests are its own, and what they mean.
 */
export abstract class ServerTransport {
	protected readonly host: SessionHost;
	readonly #guard: RequestGuard;
	readonly #authentication: Authentication;
	readonly #maxBodyBytes: number;
	readonly #kind: SessionRecord['transport'];
	#drained: Promise<void> | undefined;

	/** `kind` marks the sessions of this transport; those of others, in the same store, are unknown to it. */
	constructor(createServer: CreateServer, options: ServerTransportOptions, kind?: SessionRecord['transport']) {
		this.host = new SessionHost(createServer, options);
		this.#guard = new RequestGuard(options);
		this.#authentication = new Authentication(options);
		this.#kind = kind;
		this.#maxBodyBytes = options.maxBodyBytes ?? 4 * 1024 * 1024;
	}

	/** Names this node among those that share the managers; random at start. */
	get nodeId(): string {
		return this.host.context.nodeId;
	}

	/** Tells clients of changes, whichever node holds their streams. */
	get notify(): Notifier {
		return this.host.notify;
	}

	/**
	 * Serves a request of `node:http`, or of what is built on it. A request for another path is passed on to `next`, or answered
	 * with 404 where there is none. Never throws.
	 */
	readonly handle = (request: IncomingMessage, response: ServerResponse, next?: unknown): void => {
		const { originalUrl, url = '/' } = request as NodeRequest;
		const target = originalUrl ?? url;
		const exchange = new NodeHttpExchange(request, response);
		if (this.isOurs(target)) this.#serve(exchange, target);
		else if (typeof next === 'function') next();
		else refuse(exchange, problems.notFound);
	};

	/** Serves a request of a fetch runtime; `null` for another path. `authInfo` is passed to the server's handlers. Never rejects. */
	readonly respond = (
		request: Request,
		context: { readonly authInfo?: AuthInfo | undefined } = {},
	): Promise<Response | null> => {
		const target = targetOf(request.url);
		if (!this.isOurs(target)) return Promise.resolve(null);
		const exchange = new FetchHttpExchange(request, context.authInfo);
		this.#serve(exchange, target);
		return exchange.response;
	};

	/** Ends a session on every node, as if its client had: its calls fail, its streams close, its id is unknown from then on. */
	terminate(sessionId: string, reason: string): Promise<void> {
		return this.host.lifecycle.terminate(sessionId, reason);
	}

	/**
	 * Frees what every node holds of a session and keeps it in the store; the next request resumes it. `false` when it is unknown,
	 * suspended already, in use here, or of HTTP+SSE, which lives by its stream.
	 */
	suspend(sessionId: string): Promise<boolean> {
		return this.host.lifecycle.suspend(sessionId);
	}

	/** What is stored about a person, to be listed, exported and erased. */
	get principals(): PrincipalData {
		return this.host.principals;
	}

	/** Frees the live server of a session on this node, unless it is busy (`false`). The next request makes it again. */
	release(sessionId: string): Promise<boolean> {
		return this.host.lifecycle.release(sessionId);
	}

	/** Whether the store answers, so that every request can be served; for readiness probes. Answers within about a second. */
	isReady(): Promise<boolean> {
		return this.host.isReady();
	}

	/** Counts for operators and for tests of leaks. */
	stats(): NodeStats {
		return this.host.stats();
	}

	/**
	 * Leaves without anybody's loss, before the process ends: `isReady` answers `false`, all is served as before until balancers
	 * know; streams are closed so that their clients come back to other nodes, not all at once; what is in flight ends; state that
	 * waits is written; then this closes. The server that called `handle` must listen until this resolves. Idempotent.
	 */
	drain(options?: DrainOptions): Promise<void> {
		this.#drained ??= this.host.drain(options).then(() => this.close());
		return this.#drained;
	}

	/** Closes every stream and live server of this node; sessions in a shared store live on. Idempotent. */
	close(): Promise<void> {
		return this.host.close();
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.close();
	}

	/** Whether a request for `target`, a path with its query, is served here. */
	protected abstract isOurs(target: string): boolean;

	/** Looks at the head of a request that is ours and allowed: what speaks against it, or which session it names. */
	protected abstract examine(
		exchange: HttpExchange,
		target: string,
	): HttpProblem | { readonly sessionId: string | undefined };

	/**
	 * Serves a request that was admitted to `session`, or that names none, with its body where it is a POST. A throw or a
	 * rejection is answered with what `problemOf` makes of it.
	 */
	protected abstract route(
		exchange: HttpExchange,
		session: LocalSession | undefined,
		body: unknown,
		target: string,
	): MaybePromise<void>;

	#serve(exchange: HttpExchange, target: string): void {
		this.#attempt(exchange, () => {
			const problem = this.#guard.check(exchange);
			if (problem !== undefined) return refuse(exchange, problem);
			if (this.host.context.closed) return refuse(exchange, problems.closing);
			// A preflight request carries no credentials.
			if (exchange.method === 'OPTIONS') return this.#guard.preflight(exchange);
			return whenReady(this.#authentication.check(exchange), (refusal) =>
				refusal === undefined ? this.#findSession(exchange, target) : refuse(exchange, refusal),
			);
		});
	}

	/** Admits the request to the session that it names, if any. */
	#findSession(exchange: HttpExchange, target: string): MaybePromise<void> {
		const wanted = this.examine(exchange, target);
		if ('status' in wanted) return refuse(exchange, wanted);
		const { sessionId } = wanted;
		if (sessionId === undefined) return this.#readBody(exchange, target, undefined);
		return whenReady(this.host.find(sessionId), (session) => {
			// Sessions of other transports, in the same store, are unknown to this one.
			if (session?.record.transport !== this.#kind || session === undefined)
				return refuse(exchange, problems.sessionNotFound);
			const { principal, protocolVersion } = session.record;
			const problem =
				this.#authentication.checkOwner(exchange, principal) ?? checkProtocolVersion(exchange, protocolVersion);
			if (problem !== undefined) return refuse(exchange, problem);
			if (principal !== undefined) this.host.factory.prolong(session, tokenEndOf(exchange.authInfo));
			return this.#readBody(exchange, target, session);
		});
	}

	/** Reads the body of a POST, which must be JSON. */
	#readBody(exchange: HttpExchange, target: string, session: LocalSession | undefined): MaybePromise<void> {
		if (exchange.method !== 'POST') return this.#routeIn(exchange, session, undefined, target);
		exchange.readJson(this.#maxBodyBytes, (body, problem) => {
			if (problem !== undefined) return refuse(exchange, problem);
			this.#attempt(exchange, () => this.#routeBody(exchange, target, session, body));
		});
	}

	/** While the body arrived, this node may have let go of the session, and another request may have brought it back. */
	#routeBody(
		exchange: HttpExchange,
		target: string,
		session: LocalSession | undefined,
		body: unknown,
	): MaybePromise<void> {
		if (session === undefined || this.host.sessions.get(session.id) === session)
			return this.#routeIn(exchange, session, body, target);
		return whenReady(this.host.find(session.wireId), (found) =>
			found === undefined ? refuse(exchange, problems.sessionNotFound) : this.#routeIn(exchange, found, body, target),
		);
	}

	/** Serves a request; meanwhile this node does not let go of its session. */
	#routeIn(
		exchange: HttpExchange,
		session: LocalSession | undefined,
		body: unknown,
		target: string,
	): MaybePromise<void> {
		if (session === undefined) return this.route(exchange, session, body, target);
		session.enter();
		let routed: MaybePromise<void>;
		try {
			routed = this.route(exchange, session, body, target);
		} catch (error) {
			session.leave();
			throw error;
		}
		if (isThenable(routed)) return Promise.resolve(routed).finally(() => session.leave());
		session.leave();
	}

	/** Does what serves a request; a throw or a rejection becomes a response. */
	#attempt(exchange: HttpExchange, work: () => MaybePromise<void>): void {
		try {
			const done = work();
			if (isThenable(done)) Promise.resolve(done).catch((error: unknown) => this.#fail(exchange, error));
		} catch (error) {
			this.#fail(exchange, error);
		}
	}

	#fail(exchange: HttpExchange, error: unknown): void {
		const problem = problemOf(error);
		if (problem.status >= 500) this.host.context.report(error);
		refuse(exchange, problem);
	}
}

/** Whether a request for `target`, a path with its query, is for `path`. */
export function isAtPath(target: string, path: string): boolean {
	return target === path || (target.startsWith(path) && target[path.length] === '?');
}

/** The path of an absolute URL, with its query, without parsing the rest. */
function targetOf(url: string): string {
	const start = url.indexOf('/', url.indexOf('//') + 2);
	return start === -1 ? '/' : url.slice(start);
}
