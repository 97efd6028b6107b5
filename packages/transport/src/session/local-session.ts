import type { LogLevel, MaybePromise, SessionRecord } from '@holdfast/session-manager';
import { Session, SessionManagerError } from '@holdfast/session-manager';
import { expiryOf, isThenable, statusOf, whenReady } from '@holdfast/session-manager/custom';
import { type SessionHome, shown, toError } from '@holdfast/session-manager/internal';
import type { NodeMonitor } from '../cluster/node-monitor.js';
import type { Connections } from '../http/connections.js';
import { pacedSend } from '../http/paced-write.js';
import type { NodeContext } from '../node/node-context.js';
import {
	ErrorCode,
	type JsonRpcNotification,
	type JsonRpcRequest,
	type JsonRpcResponse,
	type RequestId,
} from '../protocol/json-rpc.js';
import type { WireIds } from '../protocol/routed-ids.js';
import type { CreateServer, MessageExtra, SdkServer } from '../protocol/sdk.js';
import { messageEvent } from '../protocol/sse.js';
import type { Audiences } from './audiences.js';
import { LiveServer, type ServedSession } from './live-server.js';
import type { LiveServerPool } from './live-server-pool.js';
import { type OperationHome, Operations } from './operations.js';
import { ask } from './replay.js';
import { isReplayId, nextReplayId } from './replay-id.js';
import { refusal, settleSubscription } from './settle-subscription.js';

/** Limits of each session on a node. */
export interface LocalSessionOptions {
	/**
	 * How many requests of one session may run on this node at once. One more is refused with 429. One that was cancelled
	 * counts until its handler has ended.
	 * @default 256
	 */
	readonly maxRequestsInFlight?: number;
	/**
	 * How many requests to the client of one session may wait on this node at once. One more fails in the server.
	 * @default 256
	 */
	readonly maxRequestsWaiting?: number;
	/**
	 * How many resources a session may be subscribed to. One more is refused with an error.
	 * @default 1_000
	 */
	readonly maxSubscriptions?: number;
	/**
	 * The longest message that a server may send, in bytes of JSON. An error takes the place of a longer result; sending
	 * a longer notification or request fails in the server.
	 * @default 16_777_216 (16 MiB)
	 */
	readonly maxMessageBytes?: number;
}

/** The parts of a node that its sessions use. */
export interface LocalSessionParts {
	readonly context: NodeContext;
	readonly monitor: NodeMonitor;
	readonly connections: Connections;
	readonly audiences: Audiences;
	readonly wireIds: WireIds;
	readonly liveServers: LiveServerPool;
	readonly createServer: CreateServer;
	/** What the `Session` handles need. */
	readonly sessionHome: SessionHome;
	readonly options: LocalSessionOptions;
}

/** What this node holds of one session: its record as last read, and its live server if there is one. */
export class LocalSession implements ServedSession {
	readonly id: string;
	readonly session: Session;
	readonly operations: Operations | undefined;
	/** The id by which the client names the session; the same as `id` unless ids are stored hashed. */
	wireId: string;
	/** Whether the session lasts for one POST only and is not stored. Serves requests without sessions. */
	readonly isTransient: boolean;
	/** Whether an HTTP+SSE session is kept by its stream before it is initialized, too. */
	awaitsUse = false;
	/** When the session was last used here. */
	usedAt: number;
	/** When the store last said what the session is, on the monotonic clock. */
	confirmedAt: number;
	/** When the session expires if nobody uses it, as far as this node knows. */
	expiresAt: number;
	/** When its streams end, as they were told, on the monotonic clock; not a number where they were not. */
	streamsEndAt = Number.NaN;

	readonly #parts: LocalSessionParts;
	#record: SessionRecord;
	#live: LiveServer | undefined;
	/** The log level that the live server was given. */
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
	/** Settles when all is over that was begun in turn, and is forgotten then; never rejects. */
	#turn: Promise<void> | undefined;

	constructor(record: SessionRecord, parts: LocalSessionParts, isTransient = false) {
		this.isTransient = isTransient;
		this.id = record.id;
		this.wireId = record.id;
		this.#parts = parts;
		this.#record = record;
		this.usedAt = record.lastUsedAt;
		this.#touchedAt = record.lastUsedAt;
		const { clock } = parts.context;
		this.confirmedAt = clock.monotonic();
		this.#touchedAfter = this.confirmedAt - Math.max(0, clock.now() - record.lastUsedAt);
		this.expiresAt = expiryOf(record) ?? Number.POSITIVE_INFINITY;
		this.session = new Session(record, parts.sessionHome);
		const { observation } = parts.context;
		this.operations = observation && new Operations(clock, observation, () => this.#operationHome);
	}

	get #operationHome(): OperationHome {
		const { id, isTransient } = this;
		return { protocolVersion: this.#record.protocolVersion, ...(!isTransient && { sessionId: id }) };
	}

	/** The value of `Mcp-Session-Id` in responses; `undefined` where they have none. */
	get sessionIdHeader(): string | undefined {
		return this.isTransient ? undefined : this.wireId;
	}

	/** The record as last read from the store, with what this node changed since. */
	get record(): SessionRecord {
		return this.#record;
	}

	/** The least severe level of log messages that the client wants; `undefined` for all. */
	get logLevel(): LogLevel | undefined {
		return this.#record.logLevel;
	}

	/** Whether the session has ended. Nothing new may be started for it then. */
	get ended(): boolean {
		return this.#ended;
	}

	/** Whether there is a live server here, or one is being made. */
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
	 * Returns whether the session must be kept alive at `now`: while a request runs or waits here. An HTTP+SSE session is
	 * kept by its stream alone, on the node that holds it, once it is initialized or where {@link awaitsUse}. No session
	 * outlives its `endsAt`.
	 */
	isKept(now: number): boolean {
		const { transport, endsAt = Number.POSITIVE_INFINITY } = this.#record;
		if (endsAt <= now) return false;
		if (transport !== 'sse') return this.busy;
		return (
			(this.awaitsUse || statusOf(this.#record) !== 'opening') && this.#parts.connections.get(this.id) !== undefined
		);
	}

	/** The longest message that the server may send, in bytes of JSON. */
	get maxMessageBytes(): number {
		return this.#parts.options.maxMessageBytes ?? 16 * 1024 * 1024;
	}

	/** How many requests of the client run here. */
	get running(): number {
		return this.#live?.running ?? 0;
	}

	/** How many requests to the client wait here for a response. */
	get waiting(): number {
		return this.#live?.waiting ?? 0;
	}

	/** Returns whether the request with this wire id waits here. */
	isWaiting(wireId: string): boolean {
		return this.#live?.isWaiting(wireId) ?? false;
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

	/** Makes the session's live server the most recently used. */
	keepLiveServer(): void {
		if (this.#live !== undefined) this.#parts.liveServers.touch(this.#live);
	}

	/**
	 * The session is used at `now`. Returns whether the store is to hear of it, which is at most once in `intervalMs`.
	 */
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
		if (this.#record.lastUsedAt !== usedAt) this.#record = { ...this.#record, lastUsedAt: usedAt };
		this.session.refresh(this.#record);
		this.expiresAt = expiryOf(this.#record) ?? Number.POSITIVE_INFINITY;
	}

	/** Returns the live server, or makes it by replaying the client's `initialize`. Simultaneous callers share one. */
	live(): MaybePromise<LiveServer> {
		if (this.#live !== undefined) return this.#live;
		this.#opening ??= this.#hydrate().finally(() => {
			this.#opening = undefined;
		});
		return this.#opening;
	}

	/**
	 * Makes the live server of a new session and passes `initialize` to it. Returns its response; where that is an error,
	 * the live server is freed.
	 */
	async initialize(request: JsonRpcRequest, extra?: MessageExtra): Promise<JsonRpcResponse> {
		const live = await this.#connect();
		const response = await ask(live, request, extra);
		if ('error' in response) await live.drop();
		else await this.#adopt(live);
		return response;
	}

	/** Returns whether `count` more requests may run here. */
	mayRun(count: number): boolean {
		return (this.#live?.handling ?? 0) + count <= (this.#parts.options.maxRequestsInFlight ?? 256);
	}

	/** Cancels request `id`. Returns `false` when it neither runs here nor is about to. */
	cancel(id: RequestId, notification: JsonRpcNotification, extra?: MessageExtra): MaybePromise<boolean> {
		const cancel = () => this.#live?.cancel(id, notification, extra) ?? false;
		// Requests that wait for the live server start before this cancellation does.
		return this.#opening === undefined ? cancel() : this.#opening.then(cancel, () => false);
	}

	/** Passes a client's response to the live server. Returns `false` when no request waits for it here. */
	resolve(response: JsonRpcResponse, extra?: MessageExtra): boolean {
		return this.#live?.resolve(response, extra) ?? false;
	}

	/** Passes a client's progress notification to the live server. */
	progress(notification: JsonRpcNotification, extra?: MessageExtra): void {
		this.#live?.notify(notification, extra);
	}

	/**
	 * Runs `work` once everything passed here before has settled: at once where that is so. Returns its result; throws or
	 * rejects as it does.
	 */
	inTurn<T>(work: () => MaybePromise<T>): MaybePromise<T> {
		const begun = this.#turn === undefined ? work() : this.#turn.then(work);
		if (!isThenable(begun)) return begun;
		const done = Promise.resolve(begun);
		const over = () => {
			if (this.#turn === turn) this.#turn = undefined;
		};
		const turn: Promise<void> = done.then(over, over);
		this.#turn = turn;
		return done;
	}

	/**
	 * Sends one message on the session stream, whichever node holds it. Where that is this node, it resolves once the
	 * client keeps up. Does nothing once the session has ended.
	 */
	sendOnSessionStream(json: string): MaybePromise<void> {
		// A transient session has no session stream.
		if (this.#ended || this.isTransient) return;
		const { context, connections } = this.#parts;
		const sent = context.streams.send([this.id], messageEvent(json));
		const connection = connections.ofSessionStream(this.id);
		return connection === undefined ? sent : pacedSend(connection, context.clock, sent);
	}

	/** Returns an unused wire id. Throws `limit` when `waiting` has reached `maxRequestsWaiting`. */
	nextWireId(waiting: number): string {
		const max = this.#parts.options.maxRequestsWaiting ?? 256;
		if (waiting >= max) throw new SessionManagerError('limit', `More than ${max} requests wait for this client.`);
		return this.#parts.wireIds.next(this.id);
	}

	/** Reports an error that reaches no client. */
	report(error: unknown): void {
		this.#parts.context.report(error);
	}

	onserverclosed(server: LiveServer): void {
		this.#parts.liveServers.delete(server);
		if (this.#live === server) this.#live = undefined;
	}

	/** Stores a subscription or a log level before the client hears of the success. */
	settle(request: JsonRpcRequest, response: JsonRpcResponse): MaybePromise<JsonRpcResponse> {
		if (isReplayId(request.id)) return response;
		if (request.method === 'logging/setLevel') {
			if ('error' in response) return response;
			this.#liveLogLevel = request.params?.['level'] as LogLevel;
			return whenReady(this.#setLogLevel(this.#liveLogLevel), () => response);
		}
		if (this.isTransient) return refusal(request, ErrorCode.INVALID_REQUEST, 'Subscriptions need a session.');
		const { context, audiences, options } = this.#parts;
		const parts = { info: context.info, audiences, maxSubscriptions: options.maxSubscriptions ?? 1_000 };
		return settleSubscription(parts, this.#record, request, response);
	}

	/**
	 * Frees the live server unless the session is busy; the next request makes it again. State that waits to be written
	 * is.
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

	/** Marks the session as ended and aborts `session.signal`. */
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

	/** Stores the log level and tells all nodes. */
	async #setLogLevel(logLevel: LogLevel): Promise<void> {
		const { context, monitor } = this.#parts;
		if (!(await context.info.setLogLevel(this.id, logLevel))) return;
		this.refresh({ ...this.#record, logLevel });
		await monitor.confirmAll({ type: 'session-changed', sessionId: this.id });
	}

	async #hydrate(): Promise<LiveServer> {
		const live = await this.#connect();
		const params = this.#record.initializeParams;
		const response = await ask(live, { jsonrpc: '2.0', id: nextReplayId(), method: 'initialize', params });
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
		await ask(live, {
			jsonrpc: '2.0',
			id: nextReplayId(),
			method: 'logging/setLevel',
			params: { level: logLevel },
		});
	}

	async #connect(): Promise<LiveServer> {
		const { session, isTransient } = this;
		// With `sessions: 'off'`, the factory takes no argument.
		const server = await made(() => this.#parts.createServer(isTransient ? (undefined as never) : session));
		checkServer(server);
		const live = new LiveServer(isTransient ? undefined : this.id, server, this);
		await live.connect();
		return live;
	}

	/** Takes a live server into use, or frees it and throws where the session or the node ended while it was made. */
	async #adopt(live: LiveServer): Promise<void> {
		if (this.#ended || this.#parts.context.closed) {
			await live.drop();
			if (this.#ended) throw new SessionManagerError('no-such-session', 'The session ended while its server was made.');
			throw new SessionManagerError('closed', 'The node closed while the server of the session was made.');
		}
		this.#live = live;
		this.#parts.liveServers.add(live);
	}
}

/** Every server that a function of a user has made. */
const known = new WeakSet<SdkServer>();

/** Calls the user's function. What it throws is the cause of the error, which says where to look. */
async function made(make: () => MaybePromise<SdkServer>): Promise<SdkServer> {
	try {
		return await make();
	} catch (cause) {
		// Errors of managers tell the client what is wrong.
		if (cause instanceof SessionManagerError) throw cause;
		const { message } = toError(cause);
		throw new Error(`The function that makes servers threw an error, so the client got 500: ${message}`, { cause });
	}
}

/** Throws `TypeError` for what cannot be an SDK server, or was one before. */
function checkServer(server: SdkServer | undefined): void {
	if (typeof server?.connect !== 'function' || typeof server.close !== 'function') {
		const got = server === undefined ? 'nothing: is a `return` missing?' : `${shown(server)}.`;
		throw new TypeError(
			`The function that makes servers must return an McpServer or Server of an official SDK; it returned ${got}`,
		);
	}
	if (known.has(server)) {
		throw new TypeError(
			'The function that makes servers returned the same server twice; make a new one inside it each time.',
		);
	}
	known.add(server);
}
