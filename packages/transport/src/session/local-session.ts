import { randomBytes } from 'node:crypto';
import type { LogLevel, MaybePromise, SessionRecord } from '@holdfast/session-manager';
import { Session, SessionManagerError } from '@holdfast/session-manager';
import { expiryOf, statusOf, whenReady } from '@holdfast/session-manager/custom';
import type { SessionHome } from '@holdfast/session-manager/internal';
import type { NodeMonitor } from '../cluster/node-monitor.js';
import type { Connections } from '../http/connections.js';
import type { NodeContext } from '../node/node-context.js';
import {
	ErrorCode,
	type JsonRpcFailure,
	type JsonRpcNotification,
	type JsonRpcRequest,
	type JsonRpcResponse,
	type RequestId,
} from '../protocol/json-rpc.js';
import type { Responder } from '../protocol/responder.js';
import { formatWireId } from '../protocol/routed-ids.js';
import type { CreateServer, MessageExtra } from '../protocol/sdk.js';
import { messageEvent } from '../protocol/sse.js';
import { LiveServer, type LiveServerHome } from './live-server.js';
import type { LiveServerPool } from './live-server-pool.js';

/** Ids of replayed requests begin so; random, so that no client can use one. */
const replayPrefix = `holdfast:${randomBytes(9).toString('base64url')}:`;
let replays = 0;
/** The longest URI of a resource that can be subscribed to. */
const MAX_URI_LENGTH = 8_192;

/** Bounds of each session on a node. */
export interface LocalSessionOptions {
	/** Requests of one session that may run on this node at once (default 256). */
	readonly maxRequestsInFlight?: number;
	/** Requests to the client of one session that may wait on this node at once (default 256). */
	readonly maxRequestsWaiting?: number;
	/** Resources that a session may be subscribed to (default 1,000). */
	readonly maxSubscriptions?: number;
}

/** What all sessions of a node stand on. */
export interface LocalSessionParts {
	readonly context: NodeContext;
	readonly monitor: NodeMonitor;
	readonly connections: Connections;
	readonly liveServers: LiveServerPool;
	readonly createServer: CreateServer;
	/** What the `Session` handle needs. */
	readonly home: SessionHome;
	readonly options: LocalSessionOptions;
}

/** Numbers the wire ids of this process; with the node's random id before it, none is used twice. */
let wireIds = 0;

/** What this node holds of one session: its record as last read, its live server if there is one. */
export class LocalSession implements LiveServerHome {
	readonly id: string;
	readonly session: Session;
	/** What the client calls the session; the same as `id` unless ids are stored hashed. */
	wireId: string;
	/** Whether the session lasts for one request and is known to nobody: what serves requests without sessions. */
	readonly isTransient: boolean;
	/** When the session was last used here. */
	usedAt: number;
	/** When the store last said what the session is, on the monotonic clock. */
	confirmedAt: number;
	/** When the session expires if nobody uses it, as far as this node knows. */
	expiresAt: number;

	readonly #parts: LocalSessionParts;
	#record: SessionRecord;
	#live: LiveServer | undefined;
	/** The level that the live server was told. */
	#liveLogLevel: LogLevel | undefined;
	#opening: Promise<LiveServer> | undefined;
	#ended = false;
	#isDoubtful = false;
	#doubts = 0;
	/** Requests that are being served, up to where they run. */
	#users = 0;
	/** When the store last heard that the session was used: the date, and on the monotonic clock. */
	#touchedAt: number;
	#touchedAfter: number;
	/** Settles when all is over that was begun in turn; never rejects. */
	#turn: Promise<void> | undefined;

	constructor(record: SessionRecord, parts: LocalSessionParts, isTransient = false) {
		this.isTransient = isTransient;
		this.id = record.id;
		this.wireId = record.id;
		this.#parts = parts;
		this.#record = record;
		this.usedAt = record.lastUsedAt;
		this.#touchedAt = record.lastUsedAt;
		this.#touchedAfter = parts.context.clock.monotonic();
		this.confirmedAt = this.#touchedAfter;
		this.expiresAt = expiryOf(record) ?? Number.POSITIVE_INFINITY;
		this.session = new Session(record, parts.home);
	}

	/** What `Mcp-Session-Id` of answers says; `undefined` where there is none. */
	get sessionIdHeader(): string | undefined {
		return this.isTransient ? undefined : this.wireId;
	}

	get record(): SessionRecord {
		return this.#record;
	}

	get logLevel(): LogLevel | undefined {
		return this.#record.logLevel;
	}

	/** Whether the session has ended; nothing may be begun for it then. */
	get ended(): boolean {
		return this.#ended;
	}

	get hasLiveServer(): boolean {
		return this.#live !== undefined || this.#opening !== undefined;
	}

	/** Whether a request is being served, runs or waits here, so that the session cannot be let go of. */
	get busy(): boolean {
		return this.#users > 0 || this.#opening !== undefined || (this.#live?.busy ?? false);
	}

	/** A request of the session begins to be served; until it has {@link leave left}, the session is kept here. */
	enter(): void {
		this.#users++;
	}

	/** The request runs, or is over. */
	leave(): void {
		this.#users--;
	}

	/** Whether the store must confirm the session before it is used: there was news of it, or it may have been missed. */
	get doubtful(): boolean {
		return this.#isDoubtful;
	}

	/** How often {@link markDoubtful} was called. */
	get doubts(): number {
		return this.#doubts;
	}

	/** There was, or may have been, news of the session. */
	markDoubtful(): void {
		this.#isDoubtful = true;
		this.#doubts++;
	}

	/**
	 * Whether the session must not expire at `now` for what goes on here: a request that runs or waits. A session of HTTP+SSE
	 * lives by its stream alone, which one node holds, from `initialize` on. No session outlives its own end.
	 */
	isKept(now: number): boolean {
		const { transport, endsAt = Number.POSITIVE_INFINITY } = this.#record;
		if (endsAt <= now) return false;
		if (transport !== 'sse') return this.busy;
		return statusOf(this.#record) !== 'opening' && this.#parts.connections.get(this.id) !== undefined;
	}

	/** Requests of the client that run here. */
	get running(): number {
		return this.#live?.running ?? 0;
	}

	/** Requests to the client that wait here. */
	get waiting(): number {
		return this.#live?.waiting ?? 0;
	}

	/** Takes in what the store says at `elapsed`, on the monotonic clock. */
	confirm(record: SessionRecord, elapsed: number): void {
		this.#isDoubtful = false;
		this.confirmedAt = elapsed;
		this.refresh(record);
	}

	/** Takes in what this node changed. */
	refresh(record: SessionRecord): void {
		this.#record = record;
		// A server that filters by itself must not go on with the level that was set on another node before.
		if (record.logLevel !== this.#liveLogLevel && this.#live !== undefined) {
			const live = this.#live;
			this.#parts.context.background(() => this.#replayLogLevel(live));
		}
		this.#touched(Math.max(this.#touchedAt, record.lastUsedAt));
	}

	/** The session is used: its live server is now the last to be evicted. */
	keepLiveServer(): void {
		if (this.#live !== undefined) this.#parts.liveServers.touch(this.#live);
	}

	/** The session is used at `now`. Returns whether the store is to hear of it, which is at most once in `intervalMs`. */
	use(now: number, intervalMs: number): boolean {
		this.usedAt = now;
		const elapsed = this.#parts.context.clock.monotonic();
		if (elapsed - this.#touchedAfter < intervalMs) return false;
		this.#touchedAfter = elapsed;
		this.#touched(now);
		return true;
	}

	#touched(usedAt: number): void {
		this.#touchedAt = usedAt;
		this.#record = { ...this.#record, lastUsedAt: usedAt };
		this.session.refresh(this.#record);
		this.expiresAt = expiryOf(this.#record) ?? Number.POSITIVE_INFINITY;
	}

	/** The live server: the one at hand, or one made again by replaying what the client said in `initialize`. */
	live(): MaybePromise<LiveServer> {
		if (this.#live !== undefined) return this.#live;
		this.#opening ??= this.#hydrate().finally(() => {
			this.#opening = undefined;
		});
		return this.#opening;
	}

	/** Makes the live server for a new session and lets it answer `initialize`. */
	async initialize(request: JsonRpcRequest, extra?: MessageExtra): Promise<JsonRpcResponse> {
		const live = await this.#connect();
		const response = await this.#ask(live, request, extra);
		if ('error' in response) await live.drop();
		else await this.#adopt(live);
		return response;
	}

	/** Whether `count` more requests may run here. */
	mayRun(count: number): boolean {
		return this.running + count <= (this.#parts.options.maxRequestsInFlight ?? 256);
	}

	/** Cancels request `id` if it runs here, or is about to. */
	cancel(id: RequestId, notification: JsonRpcNotification, extra?: MessageExtra): MaybePromise<boolean> {
		const cancel = () => this.#live?.cancel(id, notification, extra) ?? false;
		// What waits for the live server begins to run before what comes after it.
		return this.#opening === undefined ? cancel() : this.#opening.then(cancel, () => false);
	}

	/** Gives the client's response to whoever waits for it here. `false` when nobody does. */
	resolve(response: JsonRpcResponse, extra?: MessageExtra): boolean {
		return this.#live?.resolve(response, extra) ?? false;
	}

	/** Gives progress to whoever waits for the response here. */
	progress(notification: JsonRpcNotification, extra?: MessageExtra): void {
		this.#live?.notify(notification, extra);
	}

	/** Runs `work` after all that was begun in turn before, whether that succeeded or not. */
	inTurn<T>(work: () => MaybePromise<T>): Promise<T> {
		const before = this.#turn ?? Promise.resolve();
		const done = before.then(work);
		const over = () => {};
		this.#turn = done.then(over, over);
		return done;
	}

	sendOnSessionStream(json: string): MaybePromise<void> {
		// A session for one request has no stream of its own.
		if (this.#ended || this.isTransient) return;
		return this.#parts.context.streams.send([this.id], messageEvent(json));
	}

	nextWireId(waiting: number): string {
		const max = this.#parts.options.maxRequestsWaiting ?? 256;
		if (waiting >= max) throw new SessionManagerError('limit', `More than ${max} requests wait for this client.`);
		return formatWireId(this.#parts.context.nodeId, wireIds++);
	}

	report(error: unknown): void {
		this.#parts.context.report(error);
	}

	onserverclosed(server: LiveServer): void {
		this.#parts.liveServers.delete(server);
		if (this.#live === server) this.#live = undefined;
	}

	/** Records subscriptions and the log level; the client hears of success only when it is stored. */
	settle(request: JsonRpcRequest, response: JsonRpcResponse): MaybePromise<JsonRpcResponse> {
		if (String(request.id).startsWith(replayPrefix)) return response;
		if (request.method === 'logging/setLevel') {
			if ('error' in response) return response;
			this.#liveLogLevel = request.params?.['level'] as LogLevel;
			return whenReady(this.#setLogLevel(this.#liveLogLevel), () => response);
		}
		if (this.isTransient) return refusal(request.id, ErrorCode.INVALID_REQUEST, 'Subscriptions need a session.');
		// Servers often declare the capability and leave the bookkeeping to whoever has a place for it: us.
		const ours = 'error' in response && response.error.code === ErrorCode.METHOD_NOT_FOUND && this.#declaresSubscribe();
		if ('error' in response && !ours) return response;
		const uri = request.params?.['uri'];
		if (typeof uri !== 'string' || uri.length > MAX_URI_LENGTH) {
			const message = `Invalid params: uri must be a string of at most ${MAX_URI_LENGTH} characters.`;
			return refusal(request.id, ErrorCode.INVALID_PARAMS, message);
		}
		const subscribes = request.method === 'resources/subscribe';
		const stored = subscribes ? this.#subscribe(uri) : this.#parts.context.info.removeSubscription(this.id, uri);
		return whenReady<boolean | 'too many', JsonRpcResponse>(stored, (done) => {
			if (done === 'too many') {
				const message = `A session may be subscribed to ${this.#maxSubscriptions} resources.`;
				return refusal(request.id, ErrorCode.REFUSED, message);
			}
			return { jsonrpc: '2.0', id: request.id, result: 'result' in response ? response.result : {} };
		});
	}

	/**
	 * Frees the live server unless the session is busy; the next request makes it again. State that waits to be written is.
	 * `false` also where a request came meanwhile: then the session is in use again.
	 */
	async release(): Promise<boolean> {
		if (this.busy) return false;
		const live = this.#live;
		// A request that comes while it closes gets another.
		if (live !== undefined) this.onserverclosed(live);
		await live?.drop();
		await this.session.flush();
		return !this.busy && !this.hasLiveServer;
	}

	/** Refuses whatever is new, and aborts `session.signal`. */
	markEnded(reason: string): void {
		this.#ended = true;
		this.session.markEnded(reason);
	}

	/** Ends what still runs with an error, and frees the live server. Resolves once the errors are on their way. */
	async finish(code: number, message: string): Promise<void> {
		const live = this.#live;
		if (live === undefined) return;
		const failed = live.fail(code, message);
		await live.drop();
		await failed;
	}

	/** Sets the log level, on all nodes. */
	async #setLogLevel(logLevel: LogLevel): Promise<void> {
		const { context, monitor } = this.#parts;
		if (!(await context.info.setLogLevel(this.id, logLevel))) return;
		this.refresh({ ...this.#record, logLevel });
		await monitor.confirmAll({ type: 'session-changed', sessionId: this.id });
	}

	get #maxSubscriptions(): number {
		return this.#parts.options.maxSubscriptions ?? 1_000;
	}

	/** The bound keeps a client from filling the store; requests on several nodes at the same time may pass it by a few. */
	#subscribe(uri: string): MaybePromise<boolean | 'too many'> {
		const { info } = this.#parts.context;
		return whenReady<string[], boolean | 'too many'>(info.getSubscribedUris(this.id), (uris) =>
			uris.length < this.#maxSubscriptions || uris.includes(uri) ? info.addSubscription(this.id, uri) : 'too many',
		);
	}

	#declaresSubscribe(): boolean {
		const resources = this.#record.serverCapabilities['resources'];
		return (
			typeof resources === 'object' && resources !== null && 'subscribe' in resources && resources.subscribe === true
		);
	}

	async #hydrate(): Promise<LiveServer> {
		const live = await this.#connect();
		const params = this.#record.initializeParams;
		const response = await this.#ask(live, { jsonrpc: '2.0', id: nextReplayId(), method: 'initialize', params });
		if ('error' in response) {
			await live.drop();
			throw new Error(`The server refused the replay of initialize: ${response.error.message}`);
		}
		await this.#replayLogLevel(live);
		await this.#adopt(live);
		return live;
	}

	async #replayLogLevel(live: LiveServer): Promise<void> {
		const { logLevel, serverCapabilities } = this.#record;
		this.#liveLogLevel = logLevel;
		if (logLevel === undefined || serverCapabilities['logging'] === undefined) return;
		await this.#ask(live, {
			jsonrpc: '2.0',
			id: nextReplayId(),
			method: 'logging/setLevel',
			params: { level: logLevel },
		});
	}

	async #connect(): Promise<LiveServer> {
		const { session, isTransient } = this;
		// Who asked for no sessions has a factory without a parameter.
		const server = await this.#parts.createServer(isTransient ? (undefined as never) : session);
		const live = new LiveServer(isTransient ? undefined : this.id, server, this);
		await live.connect();
		return live;
	}

	/** Takes a live server into use; frees it where the session or the node ended while it was made. */
	async #adopt(live: LiveServer): Promise<void> {
		if (this.#ended || this.#parts.context.closed) {
			await live.drop();
			if (this.#ended) throw new SessionManagerError('no-such-session', 'The session ended while its server was made.');
			throw new SessionManagerError('closed', 'The node closed while the server of the session was made.');
		}
		this.#live = live;
		this.#parts.liveServers.add(live);
	}

	#ask(live: LiveServer, request: JsonRpcRequest, extra?: MessageExtra): Promise<JsonRpcResponse> {
		return new Promise((resolve) => {
			const responder: Responder = {
				// What a server says before the client knows of the session has no stream to go on.
				emit() {},
				respond: resolve,
				cancelled() {},
			};
			live.request(request, responder, extra);
		});
	}
}

function refusal(id: RequestId, code: number, message: string): JsonRpcFailure {
	return { jsonrpc: '2.0', id, error: { code, message } };
}

function nextReplayId(): string {
	return `${replayPrefix}${replays++}`;
}
