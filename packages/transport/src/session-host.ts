import { randomBytes } from 'node:crypto';
import {
	type Clock,
	type InfoSessionManager,
	InMemoryInfoSessionManager,
	InMemoryStreamSessionManager,
	type LogLevel,
	type MaybePromise,
	SessionManagerError,
	type SessionRecord,
	type StreamSessionManager,
	systemClock,
	WriteBehind,
	whenReady,
} from '@holdfast/session-manager';
import { CleanUp, type CleanUpHome } from './clean-up.js';
import { type Connection, closeForNow } from './connection.js';
import { type DrainOptions, drain } from './drain.js';
import type { InitializeParams } from './initialize-params.js';
import type { JsonRpcFailure, JsonRpcMessage, JsonRpcRequest, JsonRpcResult, RequestId } from './json-rpc.js';
import { KeepAlive } from './keep-alive.js';
import { toError } from './live-server.js';
import { LiveServers } from './live-servers.js';
import { lostStreamEvent } from './lost-stream.js';
import { MessageRouter, type MessageRouterHome } from './message-router.js';
import { NodeBus, type NodeMessage } from './node-bus.js';
import { inBackground, NodeSession, type NodeSessionHome } from './node-session.js';
import { NodeWatch } from './node-watch.js';
import { Notifier } from './notifier.js';
import type { Owner } from './principal.js';
import { PrincipalData } from './principal-data.js';
import type { CreateServer, MessageExtra } from './sdk-server.js';
import { SessionCache, type SessionCacheHome } from './session-cache.js';
import type { SessionHostOptions, SessionHostStats } from './session-host-options.js';
import { SessionLives, type SessionLivesHome } from './session-lives.js';
import { SessionOpener, type SessionOpenerHome } from './session-opener.js';
import { formatStreamName } from './stream-name.js';
import { formatWireId } from './wire-id.js';

const MINUTE = 60_000;

/** The sessions of one node: finds them, makes their servers, routes messages between nodes, and ends them. */
export class SessionHost
	implements NodeSessionHome, SessionCacheHome, SessionOpenerHome, SessionLivesHome, MessageRouterHome, CleanUpHome
{
	/** Names this node among the others; random at start. */
	readonly nodeId = randomBytes(9).toString('base64url');
	readonly streams: StreamSessionManager;
	readonly info: InfoSessionManager;
	readonly clock: Clock;
	readonly createServer: CreateServer;
	readonly keepAlive: KeepAlive;
	readonly notify: Notifier;
	/** Tells when another node is gone. */
	readonly nodes: NodeWatch;
	/** What is stored about a person. */
	readonly principals: PrincipalData;
	readonly retryMs: number;
	readonly maxSubscriptions: number;
	/** Writes state in the background. */
	readonly writeBehind: WriteBehind;
	readonly #opener: SessionOpener;
	readonly #cleanUp = new CleanUp(this);
	readonly #lives: SessionLives;
	readonly #router: MessageRouter;
	readonly #maxRequestsInFlight: number;
	readonly #maxRequestsWaiting: number;
	readonly #maxStreams: number;
	readonly #onerror: ((error: Error) => void) | undefined;
	readonly #owned: (StreamSessionManager | InfoSessionManager)[] = [];
	readonly #bus: NodeBus;
	readonly #sessions: SessionCache;
	/** Ids of streams that more is to be written to. */
	readonly #writing = new Set<string>();
	readonly #liveServers: LiveServers;
	#wireIds = 0;
	#streamNames = 0;
	#listening: Promise<void> | undefined;
	#hears = false;
	#leaving = false;
	#closed = false;

	constructor(createServer: CreateServer, options: SessionHostOptions = {}) {
		this.createServer = createServer;
		this.clock = options.clock ?? systemClock;
		this.streams =
			options.sessionManager?.streams ?? this.#own(new InMemoryStreamSessionManager({ clock: this.clock }));
		this.info = options.sessionManager?.info ?? this.#own(new InMemoryInfoSessionManager({ clock: this.clock }));
		this.writeBehind = new WriteBehind(this.clock, (error) => this.report(error));
		this.#opener = new SessionOpener(this, options);
		const suspendAfterMs = options.suspendAfterMs ?? 5 * MINUTE;
		this.#maxRequestsInFlight = options.maxRequestsInFlight ?? 256;
		this.#maxRequestsWaiting = options.maxRequestsWaiting ?? 256;
		this.#maxStreams = options.maxStreams ?? 50_000;
		const shortestMs = Math.min(this.#opener.shortestTtlMs, suspendAfterMs || Number.POSITIVE_INFINITY);
		this.#sessions = new SessionCache(this, Math.min(30_000, Math.max(25, shortestMs / 4)), suspendAfterMs);
		this.#liveServers = new LiveServers(
			options.maxLiveServers ?? 2_000,
			(session) => this.release(session.id),
			(error) => this.report(error),
		);
		this.retryMs = options.retryMs ?? 1_000;
		this.maxSubscriptions = options.maxSubscriptions ?? 1_000;
		this.#onerror = options.onerror;
		if (options.onerror !== undefined) {
			this.streams.onerror ??= options.onerror;
			this.info.onerror ??= options.onerror;
		}
		this.keepAlive = new KeepAlive(this.clock, options.keepAliveMs ?? 15_000);
		this.nodes = new NodeWatch(this.clock, (nodeId) => this.#bus.isThere(nodeId));
		this.principals = new PrincipalData(this);
		this.notify = new Notifier(this.streams, this.info);
		this.#bus = new NodeBus(
			this.streams,
			this.nodeId,
			(message) => this.#receive(message),
			() => this.#sessions.distrust(),
			(error) => this.report(error),
		);
		this.#router = new MessageRouter(this, this.#bus);
		this.#lives = new SessionLives(this, this.#sessions, this.#bus, suspendAfterMs);
	}

	get closed(): boolean {
		return this.#closed;
	}

	/** Counts for operators and for tests of leaks. */
	stats(): SessionHostStats {
		let requestsInFlight = 0;
		let requestsWaiting = 0;
		for (const session of this.#liveServers) {
			requestsInFlight += session.running;
			requestsWaiting += session.waiting;
		}
		return {
			sessions: this.#sessions.size,
			liveServers: this.#liveServers.size,
			requestsInFlight,
			requestsWaiting,
			connections: this.keepAlive.size,
		};
	}

	/** Tells `onerror` of a failure that no client hears of. */
	report(error: Error): void {
		try {
			this.#onerror?.(error);
		} catch {
			// The work that failed has a client to answer and things to free: a report that fails must not stop it.
		}
	}

	/** Begins to hear other nodes, once. Whatever is cached of the store waits for it, so that no news can be missed. */
	listen(): MaybePromise<void> {
		if (this.#hears) return;
		this.#listening ??= this.#bus.listen().then(
			() => {
				this.#hears = true;
				this.#cleanUp.start();
			},
			(error: unknown) => {
				this.#listening = undefined;
				throw error;
			},
		);
		return this.#listening;
	}

	/** Whether every request can be served: whether the store answers, and this node hears the others. */
	async isReady(): Promise<boolean> {
		try {
			await this.listen();
			await this.info.read('readiness');
			// Whoever does not hear the others cannot know what they have changed.
			return !this.#closed && !this.#leaving && (await this.#bus.isThere(this.nodeId));
		} catch (error) {
			this.report(toError(error));
			return false;
		}
	}

	/** Opens a session of `owner` with what the server answers to `initialize`; no session where it refuses. */
	async initialize(
		request: JsonRpcRequest,
		params: InitializeParams,
		owner: Owner,
		extra?: MessageExtra,
	): Promise<{ readonly answer: JsonRpcResult | JsonRpcFailure; readonly session?: NodeSession }> {
		await this.listen();
		return this.#opener.initialize(request, params, owner, extra);
	}

	/** Makes what serves one request without a session; whoever asked for it finishes it. */
	transient(params: InitializeParams): NodeSession {
		return new NodeSession(this, this.#opener.transient(params), true);
	}

	/** Opens a session of HTTP+SSE for `owner`, whose client can say `initialize` only once it knows of the session. */
	async open(owner: Owner): Promise<NodeSession> {
		await this.listen();
		return this.#opener.open(owner);
	}

	/**
	 * Lets the server answer the `initialize` of a session that was opened before it. Where the server refuses, the client may
	 * try again. `undefined` where the session has ended, or was initialized before, on whichever node.
	 */
	async complete(
		session: NodeSession,
		request: JsonRpcRequest,
		params: InitializeParams,
		extra?: MessageExtra,
	): Promise<JsonRpcResult | JsonRpcFailure | undefined> {
		const answer = await this.#opener.complete(session, request, params, extra);
		// The node that holds the stream keeps the session alive as soon as it hears of it.
		const tell = async () => {
			await this.info.touch(session.id, this.clock.now());
			await this.#bus.tellAll({ type: 'session-changed', sessionId: session.id });
		};
		if (answer !== undefined && 'result' in answer) inBackground(tell(), (error) => this.report(error));
		return answer;
	}

	/** Takes in what the store says of a session now; `false` when the store no longer knows it. */
	reload(session: NodeSession): MaybePromise<boolean> {
		return this.#sessions.reload(session);
	}

	/** A refreshed token keeps its session for longer, as far as the absolute TTL goes. */
	prolong(session: NodeSession, tokenEndsAt: number | undefined): void {
		const { endsAt, createdAt } = session.record;
		if (endsAt === undefined || tokenEndsAt === undefined || tokenEndsAt <= endsAt) return;
		const later = this.#opener.endOf(createdAt, tokenEndsAt);
		if (later === undefined || later <= endsAt) return;
		session.refresh({ ...session.record, endsAt: later });
		inBackground(this.info.update(session.id, { endsAt: later }), (error) => this.report(error));
	}

	/** Whether `count` more requests of `session` may run. */
	mayRun(session: NodeSession, count: number): boolean {
		return session.running + count <= this.#maxRequestsInFlight;
	}

	/** Notes that answers are on their way to stream `streamId` here, until it is called off. */
	writes(streamId: string): () => void {
		this.#writing.add(streamId);
		return () => this.#writing.delete(streamId);
	}

	/**
	 * A client came back to a request stream, which the node with id `nodeId` writes. If that node does not, or no longer, the
	 * stream is ended with an error: nobody waits for ever. Answers a function that calls the watch off.
	 */
	watchStream(nodeId: string, streamId: string, primed: boolean): () => void {
		const lost = () =>
			inBackground(this.streams.send([streamId], lostStreamEvent(streamId, primed)), (error) => this.report(error));
		if (nodeId === this.nodeId) {
			if (!this.#writing.has(streamId)) lost();
			return () => {};
		}
		inBackground(this.#bus.tell(nodeId, { type: 'stream-resumed', streamId, primed }), (error) => this.report(error));
		return this.nodes.watch(nodeId, lost);
	}

	/** Whether one more stream may be opened. */
	mayStream(): boolean {
		return this.keepAlive.size < this.#maxStreams;
	}

	/** Puts an open connection under care: comments, counting, and closing with its session. */
	hold(session: NodeSession, streamId: string, connection: Connection): void {
		this.keepAlive.add(connection);
		session.connections.set(streamId, connection);
		const onend = connection.onend;
		connection.onend = () => {
			this.keepAlive.remove(connection);
			if (session.connections.get(streamId) === connection) session.connections.delete(streamId);
			onend?.();
		};
		if (!connection.open) connection.onend();
	}

	/** Closes the connection of a stream, on whichever node it is, so that its client comes back for the rest. */
	closeConnection(session: NodeSession, streamId: string): void {
		const connection = session.connections.get(streamId);
		if (connection === undefined)
			inBackground(this.#bus.tellAll({ type: 'close-connection', streamId }), (e) => this.report(e));
		else closeForNow(connection, this.retryMs);
	}

	/**
	 * Gives a client's answer, progress or cancellation to whoever waits for it, on whichever node. `false` when that is nobody.
	 */
	deliver(session: NodeSession, message: JsonRpcMessage, extra?: MessageExtra): MaybePromise<boolean> {
		return this.#router.deliver(session, message, extra);
	}

	/** A name, unique among all nodes, for the stream of a request; `id` can be read back from it (stream-name.ts). */
	nextStreamName(id: RequestId | undefined): string {
		return formatStreamName(this.nodeId, this.#streamNames++, id);
	}

	/** A fresh wire id; throws when `waiting` requests of one session are too many. */
	nextWireId(waiting: number): string {
		if (waiting >= this.#maxRequestsWaiting) {
			throw new SessionManagerError('limit', `More than ${this.#maxRequestsWaiting} requests wait for this client.`);
		}
		return formatWireId(this.nodeId, this.#wireIds++);
	}

	/** Sets the log level of a session, on all nodes. */
	async setLogLevel(session: NodeSession, logLevel: LogLevel): Promise<void> {
		if (!(await this.info.setLogLevel(session.id, logLevel))) return;
		session.refresh({ ...session.record, logLevel });
		await this.#bus.tellAll({ type: 'session-changed', sessionId: session.id });
	}

	/** Ends a session on every node. */
	terminate(id: string, reason: string): Promise<void> {
		return this.#lives.terminate(id, reason);
	}

	/** Ends a session on every node and erases all that is kept of it, its streams too. */
	erase(id: string): Promise<void> {
		return this.#lives.erase(id);
	}

	/** Frees what every node holds of a session and keeps it in the store (session-lives.ts). */
	suspend(id: string): Promise<boolean> {
		return this.#lives.suspend(id);
	}

	/** Frees the live server of a session on this node; `false` when it is busy. The next request makes it again. */
	async release(id: string): Promise<boolean> {
		const session = this.#sessions.get(id);
		if (session === undefined) return true;
		const released = await session.release();
		if (released && session.connections.size === 0) this.#sessions.delete(session);
		return released;
	}

	/** The session that a client calls `wireId`, used now, or `undefined` when it is unknown, expired or over. */
	find(wireId: string): MaybePromise<NodeSession | undefined> {
		return whenReady(this.#sessions.find(this.#opener.storedId(wireId)), (session) => {
			if (session !== undefined) session.wireId = wireId;
			return session;
		});
	}

	/** Makes what this node holds of a session. */
	makeSession(record: SessionRecord): NodeSession {
		return new NodeSession(this, record);
	}

	/** A session was opened here. */
	onopen(session: NodeSession): void {
		this.#sessions.add(session);
	}

	/** A session was used; its live server is now the last to go. */
	onuse(session: NodeSession): void {
		this.#liveServers.touch(session);
	}

	/** The store no longer knows a session of this node. */
	onexpired(session: NodeSession): void {
		this.#lives.endHere(session.id, 'expired', true);
	}

	/** Frees what this node holds of an idle session; where no node uses it, it is suspended. */
	onidle(session: NodeSession): void {
		inBackground(this.#lives.rest(session), (error) => this.report(error));
	}

	/** Live servers that were busy when the bound was passed may be idle now. */
	onsweep(): void {
		this.#liveServers.trim();
	}

	/** A session got its live server. */
	onliveserver(session: NodeSession): void {
		this.#liveServers.add(session);
	}

	/** A session lost its live server. */
	onliveserverclosed(session: NodeSession): void {
		this.#liveServers.delete(session);
	}

	/** Moves clients to other nodes and waits for what is in flight (drain.ts); whoever calls it closes then. */
	drain(options?: DrainOptions): Promise<void> {
		const host = this;
		this.#leaving = true;
		return drain(
			{
				clock: this.clock,
				retryMs: this.retryMs,
				sessions: this.#sessions,
				isWriting: (streamId) => this.#writing.has(streamId),
				get closed() {
					return host.#closed;
				},
				get inFlight() {
					const { requestsInFlight, requestsWaiting } = host.stats();
					return requestsInFlight + requestsWaiting;
				},
			},
			options,
		);
	}

	/** Closes all connections and live servers here; the sessions live on in the store. Closes the managers that it made. */
	async close(): Promise<void> {
		if (this.#closed) return;
		this.#closed = true;
		await this.writeBehind.flush();
		this.#lives.close();
		await this.#cleanUp.close();
		this.nodes.close();
		for (const session of this.#sessions) {
			await session.finish('the node closed');
			session.closeConnections();
		}
		this.#sessions.close();
		this.writeBehind.close();
		await this.#bus.close();
		for (const manager of this.#owned) await manager.close();
	}

	#own<T extends StreamSessionManager | InfoSessionManager>(manager: T): T {
		this.#owned.push(manager);
		return manager;
	}

	#receive(message: NodeMessage): void {
		if (message.type === 'close-connection') {
			for (const session of this.#sessions) {
				const connection = session.connections.get(message.streamId);
				if (connection !== undefined) closeForNow(connection, this.retryMs);
			}
			return;
		}
		if (message.type === 'stream-resumed') {
			this.watchStream(this.nodeId, message.streamId, message.primed);
			return;
		}
		const session = this.#sessions.get(message.sessionId);
		if (session === undefined) return;
		if (message.type === 'session-ended') this.#lives.endHere(session.id, message.reason, false);
		else if (message.type === 'session-suspended')
			inBackground(this.#lives.suspendHere(session, message.connectionsToo), (error) => this.report(error));
		else if (message.type === 'session-changed')
			inBackground(this.#sessions.reload(session), (error) => this.report(error));
		else this.#router.deliverHere(session, message.message);
	}
}
