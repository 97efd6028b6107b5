import type { IncomingMessage, ServerResponse } from 'node:http';
import { type MaybePromise, type SessionRecord, whenReady } from '@holdfast/session-manager';
import { Authentication, type AuthenticationOptions } from './authentication.js';
import type { DrainOptions } from './drain.js';
import { FetchExchange } from './fetch-exchange.js';
import { type HttpExchange, refuse } from './http-exchange.js';
import { type HttpProblem, problemOf, problems } from './http-problem.js';
import { isCall, isRequest, type JsonRpcMessage } from './json-rpc.js';
import { toError } from './live-server.js';
import { NodeExchange, type NodeRequest } from './node-exchange.js';
import type { NodeSession } from './node-session.js';
import type { Notifier } from './notifier.js';
import { tokenEndOf } from './principal.js';
import type { PrincipalData } from './principal-data.js';
import { RequestGuard, type RequestGuardOptions } from './request-guard.js';
import { checkProtocolVersion, isJsonContent } from './request-headers.js';
import type { AuthInfo, CreateServer, MessageExtra } from './sdk-server.js';
import { SessionHost } from './session-host.js';
import type { SessionHostOptions, SessionHostStats } from './session-host-options.js';

/** Options of every {@link ServerTransport}. */
export interface ServerTransportOptions extends SessionHostOptions, RequestGuardOptions, AuthenticationOptions {
	/** The longest body, in bytes (default 4 MiB); a longer one is refused before it is parsed. */
	readonly maxBodyBytes?: number;
}

/**
 * What every transport over HTTP is: the sessions of this node behind the doors `handle` (`node:http` and what is built on it)
 * and `respond` (fetch runtimes), which behave the same. A request gets to {@link route} once it is known to be allowed and who
 * sent it; whatever fails in it becomes an answer. A subclass says which requests are its own, and what they mean.
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
		return this.host.nodeId;
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
		const exchange = new NodeExchange(request, response);
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
		const exchange = new FetchExchange(request, context.authInfo);
		this.#serve(exchange, target);
		return exchange.response;
	};

	/** Ends a session on every node, as if its client had: its calls fail, its streams close, its id is unknown from then on. */
	terminate(sessionId: string, reason: string): Promise<void> {
		return this.host.terminate(sessionId, reason);
	}

	/**
	 * Frees what every node holds of a session and keeps it in the store; the next request resumes it. `false` when it is unknown,
	 * suspended already, in use here, or of HTTP+SSE, which lives by its stream.
	 */
	suspend(sessionId: string): Promise<boolean> {
		return this.host.suspend(sessionId);
	}

	/** What is stored about a person, to be listed, exported and erased. */
	get principals(): PrincipalData {
		return this.host.principals;
	}

	/** Frees the live server of a session on this node, unless it is busy (`false`). The next request makes it again. */
	release(sessionId: string): Promise<boolean> {
		return this.host.release(sessionId);
	}

	/** Whether the store answers, so that every request can be served; for readiness probes. Answers within about a second. */
	isReady(): Promise<boolean> {
		return this.host.isReady();
	}

	/** Counts for operators and for tests of leaks. */
	stats(): SessionHostStats {
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

	/** Serves a request that is one of ours and allowed; a throw is answered by what `problemOf` makes of it. */
	protected abstract route(exchange: HttpExchange, target: string): void;

	/** Reads the body of a POST, which must be JSON, and serves it. */
	protected readBody(exchange: HttpExchange, serve: (value: unknown) => MaybePromise<void>): void {
		if (!isJsonContent(exchange.header('content-type'))) return refuse(exchange, problems.notJson);
		exchange.readJson(this.#maxBodyBytes, (value, problem) => {
			if (problem !== undefined) return refuse(exchange, problem);
			try {
				this.wait(exchange, () => serve(value));
			} catch (error) {
				this.#fail(exchange, error);
			}
		});
	}

	/** Serves a request whose answer may take a while. */
	protected wait(exchange: HttpExchange, serve: () => MaybePromise<void>): void {
		const served = serve();
		if (served instanceof Promise) served.catch((error: unknown) => this.#fail(exchange, error));
	}

	/** The session of this transport with this id, used now, or `undefined` when it is unknown, expired or over. */
	protected find(id: string): MaybePromise<NodeSession | undefined> {
		return whenReady(this.host.find(id), (session) => (session?.record.transport === this.#kind ? session : undefined));
	}

	/** Admits the request to the session that it names, or refuses it. */
	protected withSession(
		exchange: HttpExchange,
		id: string,
		serve: (session: NodeSession) => MaybePromise<void>,
	): MaybePromise<void> {
		const found = this.find(id);
		if (found instanceof Promise) return found.then((session) => this.#admit(exchange, session, serve));
		return this.#admit(exchange, found, serve);
	}

	/** Gives notifications and answers to whom they are for; `false` when one is an answer that nobody waits for. */
	protected async take(
		session: NodeSession,
		messages: readonly JsonRpcMessage[],
		extra: MessageExtra,
	): Promise<boolean> {
		let taken = true;
		for (const message of messages) {
			if (!isCall(message) || routedNotifications.has(message.method)) {
				taken = (await this.host.deliver(session, message, extra)) && taken;
			} else {
				const live = await session.live();
				if (!isRequest(message)) live.notify(message, extra);
			}
		}
		return taken;
	}

	#serve(exchange: HttpExchange, target: string): void {
		try {
			const problem = this.#guard.check(exchange);
			if (problem !== undefined) return refuse(exchange, problem);
			if (this.host.closed) return refuse(exchange, problems.closing);
			// A preflight request carries no credentials.
			if (exchange.method === 'OPTIONS') return this.#guard.preflight(exchange);
			const checked = this.#authentication.check(exchange);
			if (checked instanceof Promise)
				this.wait(exchange, () => checked.then((found) => this.#serveSender(exchange, target, found)));
			else this.#serveSender(exchange, target, checked);
		} catch (error) {
			this.#fail(exchange, error);
		}
	}

	#serveSender(exchange: HttpExchange, target: string, problem: HttpProblem | undefined): void {
		if (problem !== undefined) refuse(exchange, problem);
		else this.route(exchange, target);
	}

	#fail(exchange: HttpExchange, error: unknown): void {
		const problem = problemOf(error);
		if (problem.status >= 500) this.host.report(toError(error));
		refuse(exchange, problem);
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
		if (principal !== undefined) this.host.prolong(session, tokenEndOf(exchange.authInfo));
		return serve(session);
	}
}

/** Notifications about a request: they go where it runs or waits, which may be another node. */
const routedNotifications: ReadonlySet<string> = new Set(['notifications/cancelled', 'notifications/progress']);

/** Whether a request for `target`, a path with its query, is for `path`. */
export function isAtPath(target: string, path: string): boolean {
	return target === path || (target.startsWith(path) && target[path.length] === '?');
}

/** The path of an absolute URL, with its query, without parsing the rest. */
function targetOf(url: string): string {
	const start = url.indexOf('/', url.indexOf('//') + 2);
	return start === -1 ? '/' : url.slice(start);
}
