import type { MaybePromise } from '@holdfast/session-manager';
import {
	checkOptions,
	count,
	flag,
	group,
	isPath,
	ms,
	type OptionSchemas,
	option,
	positive,
	word,
} from '@holdfast/session-manager/internal';
import {
	type CreateServer,
	type CreateTwoEraServer,
	type NodeStats,
	ServerTransport,
	type ServerTransportOptions,
} from '@holdfast/transport';
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
	serverTransportSchemas,
	withoutSlash,
} from '@holdfast/transport/internal';
import { openGetStream } from './get-stream.js';
import { PostHandler, type PostOptions } from './post.js';
import type { CallContext } from './stateless/call-context.js';
import type { CallState, HandleOptions } from './stateless/handles/handle.js';
import { Handles } from './stateless/handles/handles.js';
import { claimsStateless, namesStateless } from './stateless/modern-claim.js';
import { areKeys, KEYS_WANTED } from './stateless/request-states.js';
import { StatelessDoor, type StatelessOptions } from './stateless/stateless-door.js';
import { Tasks } from './stateless/tasks/tasks.js';

/** Options of {@link HttpTransport}. */
export interface HttpTransportOptions extends ServerTransportOptions, PostOptions {
	/**
	 * Serves 2026-07-28, which has no sessions, at the same address. Each request says which era it belongs to. For one
	 * without a session, `createServer` is called with `undefined` and must make a server of SDK v2.
	 * @default absent: only revisions with sessions are served, and clients that know both fall back to them
	 */
	readonly stateless?: StatelessOptions;
	/**
	 * Limits of handles ({@link HttpTransport.handles}), which keep the state of clients without a session.
	 * @default those of each member
	 */
	readonly handles?: HandleOptions;
	/**
	 * The path of the endpoint; `null`: every path.
	 * @default '/mcp'
	 */
	readonly path?: string | null;
}

const positiveMs = option('a number of milliseconds above 0', (value) => Number.isFinite(value) && Number(value) > 0);

const schemas: OptionSchemas<HttpTransportOptions> = {
	...serverTransportSchemas,
	path: option("a path that begins with '/', without a query, or null", (value) => value === null || isPath(value)),
	sessions: word('required', 'implicit', 'off'),
	responseMode: word('auto', 'json', 'sse'),
	sseAfterMs: ms,
	maxBatch: positive,
	handles: group('an object, such as {}', {
		idleTtlMs: positiveMs,
		absoluteTtlMs: positiveMs,
		anonymousTtlMs: positiveMs,
		maxPerPrincipal: count,
	}),
	stateless: group('an object, such as {}', {
		maxRequests: positive,
		reuseServers: flag,
		requestState: group('an object, such as {}', { keys: option(KEYS_WANTED, areKeys), ttlMs: ms }),
		tasks: group('an object, such as {}', { ttlMs: ms, pollIntervalMs: ms, maxPerPrincipal: count, maxRunning: count }),
	}),
};

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
	readonly #isJsonOnly: boolean;
	readonly #post: PostHandler;
	readonly #stateless: StatelessDoor | undefined;
	/** Work that goes on after its call has been answered. Without the option `stateless.tasks`, every call waits. */
	readonly tasks: Tasks;
	/** The state of clients without a session. */
	readonly handles: Handles;

	constructor(createServer: CreateServer, options?: HttpTransportOptions & { readonly stateless?: undefined });
	constructor(createServer: CreateTwoEraServer, options?: HttpTransportOptions);
	constructor(createServer: CreateServer, options: HttpTransportOptions = {}) {
		checkOptions('HttpTransport', schemas, options);
		super(createServer, options);
		const { path = '/mcp' } = options;
		this.#path = path === null ? null : withoutSlash(path);
		this.#hasSessions = options.sessions !== 'off';
		this.#isJsonOnly = options.responseMode === 'json';
		this.#post = new PostHandler(this.host, options);
		const { stateless } = options;
		this.#stateless = stateless && new StatelessDoor(this.host, createServer as CreateTwoEraServer, stateless, options);
		if (this.#stateless !== undefined) this.host.guests.push(this.#stateless);
		this.tasks = this.#stateless?.tasks ?? new Tasks(this.host);
		this.handles = new Handles(this.host, options.handles);
	}

	/**
	 * Returns the state of a call: in a session, that of the session, and otherwise that of the caller's `handle`, or of
	 * a new one. One tool so serves clients of both eras: it returns the handle, and takes it as an argument. `context`
	 * is the last parameter of its handler. Throws as {@link Handles.open} and {@link Handles.create} do.
	 *
	 * @example
	 * ```ts source="test/examples/handles.examples.ts#stateOf"
	 * const inputSchema = z.object({ item: z.string(), cart: z.string().optional() });
	 * server.registerTool('add', { description: 'Adds to the cart', inputSchema }, async ({ item, cart }, context) => {
	 * 	const { state, handle } = await transport.stateOf(context, cart);
	 * 	await state.update('items', (items) => [...(Array.isArray(items) ? items : []), item]);
	 * 	const next = handle === undefined ? '' : ` Pass the cart ${handle} with the next call.`;
	 * 	return { content: [{ type: 'text', text: `${item} is in the cart.${next}` }] };
	 * });
	 * ```
	 */
	stateOf(context: CallContext, handle?: string): Promise<CallState> {
		return this.handles.stateOf(context, handle);
	}

	/** Returns counts of what this node holds, for metrics. */
	override stats(): NodeStats {
		const stats = super.stats();
		const running = this.#stateless?.running ?? 0;
		return running === 0 ? stats : { ...stats, requestsInFlight: stats.requestsInFlight + running };
	}

	/** Closes every stream and live server of this node at once. Sessions in a shared store live on. Idempotent. */
	override async close(): Promise<void> {
		this.#post.close();
		await this.#stateless?.close();
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
			if (!accepts(accept, 'application/json'))
				return this.#isJsonOnly ? problems.responseNotAcceptable : problems.postNotAcceptable;
			if (!this.#isJsonOnly && !accepts(accept, 'text/event-stream')) return problems.postNotAcceptable;
			if (!isJsonContent(exchange.header('content-type'))) return problems.notJson;
		} else if (method === 'GET') {
			if (!accepts(accept, 'text/event-stream')) return problems.getNotAcceptable;
		} else if (method !== 'DELETE') return problems.methodNotAllowed;
		if (this.#stateless !== undefined && method === 'POST' && namesStateless(exchange)) return { sessionId: undefined };
		const sessionId = this.#hasSessions ? exchange.header('mcp-session-id') : undefined;
		if (sessionId === undefined && method !== 'POST') return problems.missingSessionId;
		// A value that cannot be an id names no session.
		return sessionId === undefined || isSessionId(sessionId) ? { sessionId } : problems.sessionNotFound;
	}

	protected override get bodyDecides(): boolean {
		return this.#stateless !== undefined;
	}

	protected override route(
		exchange: HttpExchange,
		session: LocalSession | undefined,
		body: unknown,
	): MaybePromise<void> {
		if (exchange.method === 'POST') return this.#routePost(exchange, session, body);
		if (session === undefined) return refuse(exchange, problems.missingSessionId);
		if (exchange.method === 'GET') return openGetStream(this.host, session, exchange);
		return this.#delete(exchange, session);
	}

	#routePost(exchange: HttpExchange, session: LocalSession | undefined, body: unknown): MaybePromise<void> {
		if (this.#stateless !== undefined) {
			if (claimsStateless(exchange, body)) return this.#stateless.serve(exchange, body);
			if (exchange.refusal !== undefined) return refuse(exchange, exchange.refusal);
		}
		return this.#post.serve(exchange, session, body);
	}

	async #delete(exchange: HttpExchange, session: LocalSession): Promise<void> {
		await this.host.lifecycle.terminate(session.id, 'the client ended it');
		exchange.respond(200, {}, undefined);
	}
}
