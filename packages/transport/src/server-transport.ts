import type { IncomingMessage, ServerResponse } from 'node:http';
import type { MaybePromise, NodeRecord, SessionRecord } from '@holdfast/session-manager';
import { isThenable, whenReady } from '@holdfast/session-manager/custom';
import { checkOptions } from '@holdfast/session-manager/internal';
import { type DrainOptions, drainSchemas } from './drain.js';
import { Authentication } from './http/authentication.js';
import { BodyBudget } from './http/body-budget.js';
import { type HttpExchange, refuse } from './http/exchange.js';
import { FetchHttpExchange, type RespondContext } from './http/fetch-http.js';
import { NodeHttpExchange, urlOf } from './http/node-http.js';
import { tokenEndOf } from './http/principal.js';
import { type HttpProblem, problemOf, problems } from './http/problems.js';
import { RequestGuard } from './http/request-guard.js';
import { checkProtocolVersion } from './http/request-headers.js';
import { targetOf } from './http/request-target.js';
import { UnreadResponses } from './http/unread-responses.js';
import { audited } from './node/audit.js';
import type { AuditNote } from './node/observer.js';
import type { NodeStats, ServerTransportOptions } from './options.js';
import { requestIdOf } from './protocol/json-rpc.js';
import type { CreateServer } from './protocol/sdk.js';
import type { LocalSession } from './session/local-session.js';
import type { Notifier } from './session/notifier.js';
import type { PrincipalData } from './session/principal-data.js';
import { SessionHost } from './session-host.js';

/** Returns the host of a transport, for the rest of this package. */
export let hostOf: (transport: ServerTransport) => SessionHost;

/**
 * What all transports over HTTP share: the sessions of this node, served to `node:http` through {@link handle} and to
 * fetch runtimes through {@link respond}, with the same behaviour. Each request passes the guard (Host, Origin),
 * authentication, the session lookup and the body reader, then {@link route}. A throw or a rejection on the way becomes
 * a response. A subclass says which requests it serves, which session they name, and what they mean.
 *
 * @example
 * ```ts source="test/examples/server-transport.examples.ts#subclass"
 * class DeleteOnlyTransport extends ServerTransport {
 * 	protected override isOurs = (target: string) => isAtPath(target, '/sessions');
 *
 * 	protected override examine = (exchange: HttpExchange) => ({ sessionId: exchange.header('mcp-session-id') });
 *
 * 	protected override async route(exchange: HttpExchange, session?: LocalSession): Promise<void> {
 * 		if (session === undefined || exchange.method !== 'DELETE') return refuse(exchange, problems.methodNotAllowed);
 * 		await this.terminate(session.id, 'the client ended it');
 * 		exchange.respond(200, {}, undefined);
 * 	}
 * }
 * ```
 */
export abstract class ServerTransport {
	static {
		hostOf = ({ host }) => host;
	}

	protected readonly host: SessionHost;
	readonly #guard: RequestGuard;
	readonly #authentication: Authentication;
	readonly #bodies: BodyBudget;
	readonly #unread: UnreadResponses;
	readonly #kind: SessionRecord['transport'];
	#drained: Promise<void> | undefined;

	/** `kind` marks the sessions of this transport. Sessions of another kind in the same store are unknown to it. */
	constructor(createServer: CreateServer, options: ServerTransportOptions, kind?: SessionRecord['transport']) {
		this.host = new SessionHost(createServer, options);
		this.#guard = new RequestGuard(options);
		this.#authentication = new Authentication(options);
		this.#kind = kind;
		this.#bodies = new BodyBudget(this.host.context.clock, options);
		this.#unread = new UnreadResponses();
		this.host.registry.counts = () => ({ ...this.stats() });
	}

	/** The name of this node among those that share the managers; random at start. */
	get nodeId(): string {
		return this.host.context.nodeId;
	}

	/**
	 * Notifies clients of changed lists and resources, on every node.
	 *
	 * @example
	 * ```ts source="test/examples/server-transport.examples.ts#notify"
	 * await transport.notify.resourceUpdated('file:///report.md');
	 * await transport.notify.toolsChanged();
	 * ```
	 */
	get notify(): Notifier {
		return this.host.notify;
	}

	/**
	 * Serves a request of `node:http`, or of a framework built on it. For another path it calls `next`, or responds with
	 * 404 where `next` is no function. A body that the framework has read is taken from `request.body`: parsed, or as
	 * bytes or text. Never throws.
	 *
	 * @example
	 * ```ts source="test/examples/server-transport.examples.ts#handle"
	 * const server = createServer((request, response) => {
	 * 	transport.handle(request, response, () => {
	 * 		response.writeHead(404).end('There is no MCP endpoint at this path.');
	 * 	});
	 * });
	 * server.listen(3000, '127.0.0.1');
	 * ```
	 */
	readonly handle = (request: IncomingMessage, response: ServerResponse, next?: unknown): void => {
		const target = targetOf(urlOf(request));
		const exchange = new NodeHttpExchange(request, response, this.host.context.clock, this.#unread);
		if (this.isOurs(target)) this.#serve(exchange, target);
		else if (typeof next === 'function') next();
		else refuse(exchange, problems.notFound);
	};

	/**
	 * Serves a request of a fetch runtime. Resolves with `null` for another path. `context` says what the caller knows of
	 * the request: who sends it, and its body where the caller has read it. Never rejects.
	 *
	 * @example
	 * ```ts source="test/examples/server-transport.examples.ts#respond"
	 * async function serve(request: Request): Promise<Response> {
	 * 	const response = await transport.respond(request);
	 * 	return response ?? new Response('Not Found', { status: 404 });
	 * }
	 * ```
	 */
	readonly respond = (request: Request, context: RespondContext = {}): Promise<Response | null> => {
		const target = targetOf(request.url);
		return this.isOurs(target) ? this.#respond(request, context, target) : Promise.resolve(null);
	};

	/**
	 * Serves a request of a fetch runtime as {@link respond} does, and resolves with 404 for another path. So a transport
	 * can be the default export of a module that a runtime serves, and this function a route handler. Whatever a runtime
	 * passes besides the request is ignored. Never rejects.
	 *
	 * @example
	 * ```ts source="test/examples/fetch.examples.ts#fetch"
	 * export default transport;
	 *
	 * // Or, as a route of a framework:
	 * export const GET = transport.fetch;
	 * export const POST = transport.fetch;
	 * export const DELETE = transport.fetch;
	 * ```
	 */
	readonly fetch = (request: Request): Promise<Response> => this.#respond(request, {}, targetOf(request.url));

	/**
	 * Ends a session on every node, as if its client had sent DELETE: running requests get an error, streams close, and
	 * later requests get 404. Does nothing when the session is unknown. Observers get it for the audit, with who asks for
	 * it (`by`). Rejects with `SessionManagerError` when the store is unavailable.
	 *
	 * @example
	 * ```ts source="test/examples/server-transport.examples.ts#terminate"
	 * await transport.terminate(sessionId, 'the account was closed');
	 * // From now on, every node responds with 404 to requests of this session.
	 * ```
	 */
	terminate(sessionId: string, reason: string, { by }: Pick<AuditNote, 'by'> = {}): Promise<void> {
		const { context, lifecycle } = this.host;
		return audited(context, { action: 'terminate', sessionId, reason, by }, () =>
			lifecycle.terminate(sessionId, reason),
		);
	}

	/**
	 * Frees what every node holds of a session and keeps it in the store; its next request resumes it. Resolves with
	 * `false` when the session is unknown, already suspended, in use on this node, or an HTTP+SSE session, which cannot
	 * outlive its stream. Observers get it for the audit, with `note`.
	 *
	 * @example
	 * ```ts source="test/examples/server-transport.examples.ts#suspend"
	 * const suspended = await transport.suspend(sessionId);
	 * // The next request resumes the session; `false` means that it is in use, for example.
	 * ```
	 */
	suspend(sessionId: string, note: AuditNote = {}): Promise<boolean> {
		const { context, lifecycle } = this.host;
		return audited(
			context,
			{ action: 'suspend', sessionId, by: note.by, reason: note.reason },
			() => lifecycle.suspend(sessionId),
			(suspended) => suspended,
		);
	}

	/**
	 * What is stored about a principal: list, export and erase it.
	 *
	 * @example
	 * ```ts source="test/examples/server-transport.examples.ts#principals"
	 * for (const { id } of await transport.principals.list(principal)) {
	 * 	await transport.terminate(id, 'the user signed out everywhere');
	 * }
	 * ```
	 */
	get principals(): PrincipalData {
		return this.host.principals;
	}

	/**
	 * Frees the live server of a session on this node; its next request makes it again. Resolves with `false` when the
	 * server is busy.
	 */
	release(sessionId: string): Promise<boolean> {
		return this.host.lifecycle.release(sessionId);
	}

	/**
	 * Resolves with whether this node can serve every request, for readiness probes: it is not draining or closed, and
	 * the store responds. Takes about a second at most. Never rejects.
	 *
	 * @example
	 * ```ts source="test/examples/server-transport.examples.ts#isReady"
	 * const probes = createServer(async (_request, response) => {
	 * 	response.writeHead((await transport.isReady()) ? 200 : 503).end();
	 * });
	 * probes.listen(9000);
	 * ```
	 */
	isReady(): Promise<boolean> {
		return this.host.isReady();
	}

	/** Returns counts of what this node holds, for metrics. */
	stats(): NodeStats {
		return { ...this.host.stats(), bodyBytes: this.#bodies.bytes };
	}

	/**
	 * Lists the nodes that share the store, oldest first: what each is, and its {@link stats} of a moment ago. A node
	 * announces itself every 4 seconds, from its first request or readiness probe on; one that hangs or was killed is
	 * gone after 12 seconds. Over a manager that keeps no nodes, this node alone. Rejects with `SessionManagerError` when
	 * the store is unavailable.
	 *
	 * @example
	 * ```ts source="test/examples/server-transport.examples.ts#nodes"
	 * for (const { id, state, counts } of await transport.nodes()) console.log(id, state, counts['sessions']);
	 * ```
	 */
	nodes(): Promise<NodeRecord[]> {
		return this.host.registry.list();
	}

	/**
	 * Shuts down gracefully. First {@link isReady} gives `false` while everything is served as before, so that load
	 * balancers move on. Then streams close, and their clients are told to come back at spread times, to other nodes.
	 * Then requests in flight end, state that waits is written, and the transport closes. The HTTP server must listen
	 * until this resolves. Idempotent: later calls return the promise of the first, and their options are ignored. Throws
	 * `TypeError` for options that cannot work. For a server of `node:http`, `shutdown` does this and all the rest.
	 *
	 * @example
	 * ```ts source="test/examples/server-transport.examples.ts#drain"
	 * process.once('SIGTERM', async () => {
	 * 	await transport.drain({ timeoutMs: 20_000 });
	 * 	server.close();
	 * });
	 * ```
	 */
	drain(options: DrainOptions = {}): Promise<void> {
		checkOptions('drain', drainSchemas, options);
		this.#drained ??= this.host.drain(options).then(() => this.close());
		return this.#drained;
	}

	/** Closes every stream and live server of this node at once. Sessions in a shared store live on. Idempotent. */
	close(): Promise<void> {
		this.#bodies.close();
		return this.host.close();
	}

	/** Calls {@link close}. */
	async [Symbol.asyncDispose](): Promise<void> {
		await this.close();
	}

	/** Returns whether this transport serves a request for `target`, a path with its query. */
	protected abstract isOurs(target: string): boolean;

	/**
	 * Checks the headers of a request that the guard and authentication have let through. Returns why it is refused, or
	 * which session it names.
	 */
	protected abstract examine(
		exchange: HttpExchange,
		target: string,
	): HttpProblem | { readonly sessionId: string | undefined };

	/**
	 * Serves a request that was admitted to `session`, or that names none. `body` is the parsed body of a POST. A throw
	 * or a rejection becomes the response that `problemOf` makes of it.
	 */
	protected abstract route(
		exchange: HttpExchange,
		session: LocalSession | undefined,
		body: unknown,
		target: string,
	): MaybePromise<void>;

	/**
	 * Whether the body of a POST says if the session matters that the request names. If so, a request whose session
	 * cannot be used is routed without one, with the reason as its `refusal`.
	 */
	protected get bodyDecides(): boolean {
		return false;
	}

	#respond(request: Request, context: RespondContext, target: string): Promise<Response> {
		const { clock } = this.host.context;
		clock.requestBegins?.();
		const exchange = new FetchHttpExchange(request, context, clock);
		if (this.isOurs(target)) this.#serve(exchange, target);
		else refuse(exchange, problems.notFound);
		return exchange.response;
	}

	#serve(exchange: HttpExchange, target: string): void {
		const { observation } = this.host.context;
		if (observation !== undefined) exchange.observation = observation;
		this.#attempt(exchange, () => {
			const problem = this.#guard.check(exchange);
			if (problem !== undefined) return refuse(exchange, problem);
			if (this.host.context.closed) return refuse(exchange, problems.closing);
			this.host.bus.join();
			// A preflight request carries no credentials.
			if (exchange.method === 'OPTIONS') return this.#guard.preflight(exchange);
			return whenReady(this.#authentication.check(exchange), (refusal) =>
				refusal === undefined ? this.#findSession(exchange, target) : refuse(exchange, refusal),
			);
		});
	}

	/** Finds the session that the request names, if any, and checks that its sender may use it. */
	#findSession(exchange: HttpExchange, target: string): MaybePromise<void> {
		const examined = this.examine(exchange, target);
		if ('status' in examined) return this.#refuseSession(exchange, target, examined);
		const { sessionId } = examined;
		if (sessionId === undefined) return this.#readBody(exchange, target, undefined);
		return whenReady(this.host.find(sessionId), (session) => {
			// Sessions of other transports in the same store are unknown to this one.
			if (session?.record.transport !== this.#kind || session === undefined)
				return this.#refuseSession(exchange, target, problems.sessionNotFound);
			const { principal, protocolVersion } = session.record;
			const problem =
				this.#authentication.checkOwner(exchange, principal) ?? checkProtocolVersion(exchange, protocolVersion);
			if (problem !== undefined) return this.#refuseSession(exchange, target, problem);
			if (principal !== undefined) this.host.factory.extend(session, tokenEndOf(exchange.authInfo));
			return this.#readBody(exchange, target, session);
		});
	}

	/**
	 * Refuses a request for what its headers say. Where that is about its session, the body tells the request's id; a
	 * long one is not read for that.
	 */
	#refuseSession(exchange: HttpExchange, target: string, problem: HttpProblem): MaybePromise<void> {
		if (exchange.method !== 'POST' || !sessionStatuses.has(problem.status)) return refuse(exchange, problem);
		if (!this.bodyDecides && !hasShortBody(exchange)) return refuse(exchange, problem);
		exchange.refusal = problem;
		return this.#readBody(exchange, target, undefined);
	}

	/** Reads the body of a POST, which must be JSON. */
	#readBody(exchange: HttpExchange, target: string, session: LocalSession | undefined): MaybePromise<void> {
		if (exchange.method !== 'POST') return this.#routeIn(exchange, session, undefined, target);
		const lease = this.#bodies.open(exchange.address, session?.id);
		exchange.lease = lease;
		exchange.readJson(lease, (body, problem) => {
			exchange.requestId = requestIdOf(body);
			this.#attempt(exchange, () =>
				whenOver(
					() => {
						const refusal = exchange.refusal ?? problem;
						if (refusal === undefined || (problem === undefined && this.bodyDecides))
							return this.#routeBody(exchange, target, session, body);
						if (problem === problems.bodyTaken) this.host.context.report(new Error(problem.message));
						return refuse(exchange, refusal);
					},
					() => lease.release(),
				),
			);
		});
	}

	/** While the body arrived, this node may have evicted the session, and another request may have loaded it again. */
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
		this.host.factory.use(session, body);
		session.enter();
		return whenOver(
			() => this.route(exchange, session, body, target),
			() => session.leave(),
		);
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

/** Statuses of what speaks against the session that a request names. */
const sessionStatuses: ReadonlySet<number> = new Set([400, 403, 404]);
/** The longest body that is read for the id of a request that is refused, in bytes. */
const SHORT_BODY = 64 * 1024;

/** Returns whether the body is short for sure, or that of a fetch runtime that does not say. */
function hasShortBody(exchange: HttpExchange): boolean {
	const length = exchange.header('content-length');
	return length === undefined ? exchange.header('transfer-encoding') === undefined : Number(length) <= SHORT_BODY;
}

/** Does `work`, and calls `over` after it, however it ends. */
function whenOver(work: () => MaybePromise<void>, over: () => void): MaybePromise<void> {
	let done: MaybePromise<void>;
	try {
		done = work();
	} catch (error) {
		over();
		throw error;
	}
	if (isThenable(done)) return Promise.resolve(done).finally(over);
	over();
}
