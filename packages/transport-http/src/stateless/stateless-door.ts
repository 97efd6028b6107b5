import type { Clock, MaybePromise } from '@holdfast/session-manager';
import { whenReady } from '@holdfast/session-manager/custom';
import type { SdkServer } from '@holdfast/transport';
import {
	CHANGES,
	type Connections,
	DeadlineQueue,
	ErrorCode,
	type HttpExchange,
	type JsonRpcRequest,
	Operations,
	principalOf,
	problemOf,
	problems,
	refuse,
	type SessionHost,
	Tally,
} from '@holdfast/transport/internal';
import type { McpHttpHandler } from '@modelcontextprotocol/server';
import type { PostOptions } from '../post.js';
import type { ResponseMode } from '../post-response.js';
import { callerOf, declaresTasks, TASKS } from './call-context.js';
import { DirectCalls, toolOf } from './direct-calls.js';
import { EntryRequest } from './entry-request.js';
import { honoured, readFilter } from './listen-filter.js';
import { ListenStream, SERVER_INFO } from './listen-stream.js';
import { ListenStreams } from './listen-streams.js';
import { loadSdk, type SdkV2 } from './load-sdk.js';
import { RequestServer, RequestServers, written } from './request-servers.js';
import { type RequestStateOptions, RequestStates } from './request-states.js';
import { admittedFilter } from './restricted-notices.js';
import type { CreateStatelessServer } from './served-call.js';
import { type CallHome, StatelessCall } from './stateless-call.js';
import { TaskNode } from './tasks/task-node.js';
import { serveTaskRequest } from './tasks/task-requests.js';
import type { TaskOptions } from './tasks/task-runner.js';
import { Tasks, tasksMissing } from './tasks/tasks.js';

/** Options for requests of 2026-07-28, which have no session. */
export interface StatelessOptions {
	/**
	 * How many requests without a session run on this node at once. One more is refused with 503. Of one principal, as
	 * many run as `maxRequestsInFlight` says of a session. One whose client went away counts until its handler has ended.
	 * @default 10_000
	 */
	readonly maxRequests?: number;
	/**
	 * Serves one request after another with the same server, for functions whose servers keep nothing of a request. As
	 * many are made as run at once.
	 * @default false: a server is made for each request
	 */
	readonly reuseServers?: boolean;
	/**
	 * Seals the `requestState` of results, so that a client can neither read nor change it, nor use it twice, after
	 * `ttlMs`, or for another request, on any node.
	 * @default absent: what a server returns is passed on as it is, and a client can read and change it
	 */
	readonly requestState?: RequestStateOptions;
	/**
	 * Lets tools answer with a task (`transport.tasks`), to clients that know the extension.
	 * @default absent: every call waits for its result
	 */
	readonly tasks?: TaskOptions;
}

/** What the door takes from the options of the transport. */
export interface DoorOptions extends Pick<PostOptions, 'responseMode' | 'sseAfterMs'> {
	readonly maxRequestsInFlight?: number;
	readonly maxMessageBytes?: number;
	readonly maxStreamsPerSession?: number;
	readonly maxSubscriptions?: number;
}

/** The SDK, and its entry, which checks requests. */
interface Entry {
	readonly sdk: SdkV2;
	readonly handler: McpHttpHandler;
}

/** The longest id of a listen stream, in characters: it is kept, and is part of each of its messages. */
const MAX_ID_LENGTH = 256;

/**
 * Serves 2026-07-28 beside the sessions of a node. The SDK's own entry checks each request and makes it known to the
 * server that was made for it; what the server sends goes to the client from here, without web streams.
 */
export class StatelessDoor implements CallHome {
	readonly clock: Clock;
	readonly connections: Connections;
	readonly responseMode: ResponseMode;
	readonly upgradeTimer: DeadlineQueue<StatelessCall>;
	readonly maxMessageBytes: number;
	readonly states: RequestStates | undefined;
	readonly operations: Operations | undefined;
	readonly tasks: Tasks;
	readonly #taskNode: TaskNode | undefined;
	readonly #host: SessionHost;
	readonly #servers: RequestServers;
	readonly #direct = new DirectCalls();
	readonly #max: number;
	readonly #maxPerPrincipal: number;
	readonly #maxSubscriptions: number;
	readonly #listening: ListenStreams;
	readonly #calls = new Set<StatelessCall>();
	/** How many requests are counted: those whose handlers run. */
	#handling = 0;
	readonly #byPrincipal = new Tally();
	/** Calls that are over and whose servers are still to be closed. */
	#retired: StatelessCall[] = [];
	/** The last id that a server met which is reused. */
	#lastId = 0;
	#entry: MaybePromise<Entry> | undefined;

	constructor(
		host: SessionHost,
		createServer: CreateStatelessServer,
		options: StatelessOptions,
		{ responseMode = 'auto', sseAfterMs = 200, maxRequestsInFlight = 256, ...others }: DoorOptions,
	) {
		this.#host = host;
		this.#servers = new RequestServers(createServer, options.reuseServers ?? false);
		this.clock = host.context.clock;
		this.connections = host.connections;
		this.responseMode = responseMode;
		this.maxMessageBytes = others.maxMessageBytes ?? 16 * 1024 * 1024;
		this.#max = options.maxRequests ?? 10_000;
		this.#maxPerPrincipal = maxRequestsInFlight;
		this.#maxSubscriptions = others.maxSubscriptions ?? 1_000;
		this.#listening = new ListenStreams(host, { maxPerPrincipal: others.maxStreamsPerSession ?? 32 });
		this.#taskNode = options.tasks && new TaskNode(host, options.tasks, this.#listening, () => this.#makeServer());
		this.tasks = new Tasks(host, options.tasks, this.#taskNode);
		host.changeAddresses.push(CHANGES);
		this.states = options.requestState && new RequestStates(host.context, options.requestState);
		const { observation, clock } = host.context;
		this.operations = observation && new Operations(clock, observation, () => ({ protocolVersion: '2026-07-28' }));
		this.upgradeTimer = new DeadlineQueue(host.context.clock, sseAfterMs, (call) => call.openStream());
	}

	/** How many requests run here. */
	get running(): number {
		return this.#calls.size;
	}

	/** Whether a request or the work of a task runs here, or a stream is to be moved. */
	get busy(): boolean {
		return this.#calls.size > 0 || this.#listening.isLeaving || this.#taskNode?.runner.busy === true;
	}

	/** The node is about to leave: its listen streams move to others. */
	leave(spreadMs: number): void {
		this.#listening.leave(spreadMs);
	}

	/** Serves the parsed `body` of a POST that claims a revision without sessions. */
	serve(exchange: HttpExchange, body: unknown): MaybePromise<void> {
		const { authInfo } = exchange;
		const principal = principalOf(authInfo) ?? authInfo?.token;
		if (this.#handling >= this.#max) return refuse(exchange, problems.tooManyStatelessRequests);
		if (principal !== undefined && this.#byPrincipal.get(principal) >= this.#maxPerPrincipal)
			return refuse(exchange, problems.tooManyRequestsOfPrincipal);
		this.#handling++;
		if (principal !== undefined) this.#byPrincipal.add(principal, 1);
		const call = new StatelessCall(this, exchange, principal);
		if (call.isOver) return;
		this.#calls.add(call);
		const request = new EntryRequest(call, body);
		return whenReady(this.#load(), (entry) =>
			this.#fetch(entry, request, { parsedBody: body, ...(authInfo && { authInfo }) }),
		);
	}

	/** Ends every request and task with an error. */
	async close(): Promise<void> {
		for (const call of [...this.#calls]) call.fail('The node closed before it responded.');
		this.#listening.close();
		this.upgradeTimer.close();
		await this.#taskNode?.runner.close();
	}

	report(error: unknown): void {
		this.#host.context.report(error);
	}

	onover(call: StatelessCall): void {
		if (!this.#calls.delete(call)) return;
		// Closed before the handler's promises have settled, a server would abort the signal of a call that succeeded.
		if (this.#retired.push(call) === 1) setImmediate(() => this.#closeRetired());
	}

	#load(): MaybePromise<Entry> {
		this.#entry ??= loadSdk().then((sdk) => {
			this.#entry = { sdk, handler: this.#makeHandler(sdk) };
			return this.#entry;
		});
		return this.#entry;
	}

	/** Makes a server that serves no request. */
	async #makeServer(): Promise<SdkServer> {
		const { sdk } = await this.#load();
		return (await this.#servers.take(sdk)).product;
	}

	onended({ principal }: StatelessCall): void {
		this.#handling--;
		if (principal !== undefined) this.#byPrincipal.add(principal, -1);
	}

	async #fetch(
		{ sdk, handler }: Entry,
		request: EntryRequest,
		options: Parameters<McpHttpHandler['fetch']>[1],
	): Promise<void> {
		if (this.#direct.isKnown(request)) {
			request.server = this.#servers.take(sdk);
			// What fails here fails there too, where the client is told.
			const server = await request.server.catch(() => undefined);
			if (server !== undefined && this.#servers.takesDirectly(server, toolOf(request)))
				return this.#serveDirectly(server, request);
		}
		const response = await handler.fetch(request.asRequest(), options);
		if (response !== written) return request.call.refuse(response);
		const { server } = request.call;
		if (server instanceof RequestServer) this.#direct.learn(request.message, server);
	}

	/** Serves a request that the SDK's entry would pass to its server. */
	async #serveDirectly(server: RequestServer, request: EntryRequest): Promise<void> {
		const { call } = request;
		const message = request.message as JsonRpcRequest;
		this.#serveBy(server, request);
		try {
			await this.#direct.open(server, request);
			await call.run(message);
		} catch (error) {
			this.report(error);
			call.reject(problemOf(error), message.id);
		}
	}

	#serveBy(server: RequestServer, { call, message }: EntryRequest): void {
		this.tasks.admit(message, server.product);
		call.serveBy(server, this.#servers.areReused ? ++this.#lastId : undefined);
	}

	#makeHandler(sdk: SdkV2): McpHttpHandler {
		return sdk.createMcpHandler(
			async ({ requestInfo }) => {
				const request = EntryRequest.of(requestInfo);
				const server = await (request?.server ?? this.#servers.take(sdk));
				if (request === undefined) return server.product;
				if (request.isListen) await this.#listen(request, server);
				else if (this.#taskNode !== undefined && request.isAboutTask)
					await this.#serveTask(this.#taskNode, request, server);
				else {
					if (this.#taskNode !== undefined && request.isDiscover)
						server.inner.registerCapabilities({ extensions: { [TASKS]: {} } });
					this.#serveBy(server, request);
				}
				return server.product;
			},
			{
				legacy: 'reject',
				// What the SDK could send on a listen stream is known to one node alone. So it opens none, and what it says
				// instead is not passed on, because the door has answered.
				maxSubscriptions: 0,
				onerror: (error) => {
					// A client hears of what it did wrong.
					const isRefusal = /^Rejected |^subscriptions\/listen refused/.test(error.message);
					if (!isRefusal && !(error instanceof sdk.ProtocolError)) this.report(error);
				},
			},
		);
	}

	/** Opens a listen stream, which the SDK's entry has checked and `server` says the capabilities of. */
	async #listen({ call, message }: EntryRequest, server: RequestServer): Promise<void> {
		const { id, params } = message as JsonRpcRequest;
		const refuse = (text: string) =>
			call.respond({ jsonrpc: '2.0', id, error: { code: ErrorCode.INVALID_PARAMS, message: text } });
		const filter = readFilter(params?.['notifications'], this.#maxSubscriptions);
		if (typeof filter === 'string') return refuse(filter);
		if (String(id).length > MAX_ID_LENGTH)
			return refuse(`Invalid params: the id of a stream has ${MAX_ID_LENGTH} characters at most.`);
		if (this.#taskNode !== undefined && filter.taskIds !== undefined && !declaresTasks(params?.['_meta']))
			return call.respond({ jsonrpc: '2.0', id, error: tasksMissing });
		let subset = honoured(filter, server.inner.getCapabilities());
		const caller = callerOf(call.authInfo);
		try {
			subset = await admittedFilter(this.#host.audiences, subset, caller);
			const taskIds = await this.#taskNode?.known(filter.taskIds, call.authInfo);
			if (taskIds !== undefined) subset = { ...subset, taskIds };
			if (Object.keys(subset).length > 0) await this.#listening.ready();
		} catch (error) {
			this.report(error);
			return call.reject(problemOf(error), id);
		}
		const refusal = this.#listening.refusal(call.principal);
		if (refusal !== undefined) return call.reject(refusal, id);
		const connection = call.handOver();
		if (!connection.open) return;
		this.#listening.open(
			new ListenStream(connection, id, subset, call.principal, server.info, caller),
			call.tokenEndsAt,
		);
	}

	/** Serves a request about a task, which the SDK's entry has checked. */
	async #serveTask({ store }: TaskNode, { call, message }: EntryRequest, { info }: RequestServer): Promise<void> {
		const meta = info === undefined ? {} : { [SERVER_INFO]: info };
		await serveTaskRequest(store, call, message as JsonRpcRequest, call.authInfo, meta);
	}

	#closeRetired(): void {
		const retired = this.#retired;
		this.#retired = [];
		for (const call of retired) {
			try {
				call.retire();
				if (call.server !== undefined) this.#servers.release(call.server, call.isAnswered);
			} catch (error) {
				this.report(error);
			}
		}
	}
}
