import { randomBytes } from 'node:crypto';
import {
	type Capabilities,
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
	whenReady,
} from '@holdfast/session-manager';
import type { Connection } from './connection.js';
import type { InitializeParams } from './initialize-params.js';
import {
	isCall,
	type JsonRpcFailure,
	type JsonRpcMessage,
	type JsonRpcRequest,
	type JsonRpcResult,
	type RequestId,
} from './json-rpc.js';
import { KeepAlive } from './keep-alive.js';
import { toError } from './live-server.js';
import { lostStreamEvent } from './lost-stream.js';
import { NodeBus, type NodeMessage } from './node-bus.js';
import { inBackground, NodeSession } from './node-session.js';
import { NodeWatch } from './node-watch.js';
import { Notifier } from './notifier.js';
import type { CreateServer, MessageExtra } from './sdk-server.js';
import { retryEvent } from './sse-frame.js';
import { formatStreamName } from './stream-name.js';
import { formatWireId, nodeOfWireId } from './wire-id.js';

/** Options that both transports take. */
export interface SessionHostOptions {
	/** Where sessions are kept; either may be left out (default: in memory). They belong to the caller, who closes them. */
	readonly sessionManager?: {
		readonly streams?: StreamSessionManager | undefined;
		readonly info?: InfoSessionManager | undefined;
	};
	/** A session that is not used for so long expires, in milliseconds (default 30 minutes; 0: never). An open stream alone is no use. */
	readonly idleTtlMs?: number;
	/** A session expires so long after `initialize`, used or not, in milliseconds (default 0: never). */
	readonly absoluteTtlMs?: number;
	/** SDK servers kept on this node (default 2,000); the one that was used longest ago goes first, and is made again when needed. */
	readonly maxLiveServers?: number;
	/** Requests of one session that may run on this node at once (default 256). */
	readonly maxRequestsInFlight?: number;
	/** Requests to the client of one session that may wait on this node at once (default 256). */
	readonly maxRequestsWaiting?: number;
	/** Streams that this node may hold open (default 50,000). */
	readonly maxStreams?: number;
	/** How often idle streams get a comment, in milliseconds (default 15 s; 0: never). */
	readonly keepAliveMs?: number;
	/** When clients that lost a stream are told to come back, in milliseconds (default 1 s). */
	readonly retryMs?: number;
	/** Where time comes from (default: the machine). */
	readonly clock?: Clock;
	/** Told of failures that no client hears of. Unset, they are dropped. */
	readonly onerror?: (error: Error) => void;
}

/** What a node holds at the moment. */
export interface SessionHostStats {
	/** Sessions that this node knows. */
	readonly sessions: number;
	readonly liveServers: number;
	/** Requests of clients that run here. */
	readonly requestsInFlight: number;
	/** Requests to clients that wait here for an answer. */
	readonly requestsWaiting: number;
	/** Open SSE connections. */
	readonly connections: number;
}

/** Running calls of a session that ends get so long for an answer of their own, such as that of the call that ended it. */
const END_GRACE_MS = 50;
/** When the streams of a session that ended are closed and forgotten, whatever is still on its way to them. */
const FORGET_AFTER_MS = 500;
/** How long after a failure the store is asked again whether a session still is, in milliseconds. */
const CONFIRM_RETRY_MS = 1_000;
const MINUTE = 60_000;

/** The sessions of one node: finds them, makes their servers, routes messages between nodes, and ends them. */
export class SessionHost {
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
	readonly retryMs: number;
	readonly #idleTtlMs: number;
	readonly #absoluteTtlMs: number;
	readonly #maxLiveServers: number;
	readonly #maxRequestsInFlight: number;
	readonly #maxRequestsWaiting: number;
	readonly #maxStreams: number;
	readonly #sweepIntervalMs: number;
	readonly #onerror: ((error: Error) => void) | undefined;
	readonly #owned: (StreamSessionManager | InfoSessionManager)[] = [];
	readonly #bus: NodeBus;
	readonly #sessions = new Map<string, NodeSession>();
	/** Lookups under way, so that simultaneous requests share one session. */
	readonly #finding = new Map<string, Promise<NodeSession | undefined>>();
	/** Ids of request streams that more is to be written to. */
	readonly #writing = new Set<string>();
	/** Sessions with a live server, the one that was used longest ago first. */
	readonly #liveServers = new Set<NodeSession>();
	#wireIds = 0;
	#streamNames = 0;
	/** Sessions that ended lately, whose streams may still carry answers; in order of time. */
	readonly #ended: { id: string; session: NodeSession | undefined; forgetStreams: boolean; at: number }[] = [];
	#stopForgetting: (() => void) | undefined;
	#stopSweep: (() => void) | undefined;
	#listening: Promise<void> | undefined;
	#hears = false;
	#closed = false;

	constructor(createServer: CreateServer, options: SessionHostOptions = {}) {
		this.createServer = createServer;
		this.clock = options.clock ?? systemClock;
		this.streams =
			options.sessionManager?.streams ?? this.#own(new InMemoryStreamSessionManager({ clock: this.clock }));
		this.info = options.sessionManager?.info ?? this.#own(new InMemoryInfoSessionManager({ clock: this.clock }));
		this.#idleTtlMs = options.idleTtlMs ?? 30 * MINUTE;
		this.#absoluteTtlMs = options.absoluteTtlMs ?? 0;
		this.#maxLiveServers = options.maxLiveServers ?? 2_000;
		this.#maxRequestsInFlight = options.maxRequestsInFlight ?? 256;
		this.#maxRequestsWaiting = options.maxRequestsWaiting ?? 256;
		this.#maxStreams = options.maxStreams ?? 50_000;
		const shortestTtl = Math.min(
			this.#idleTtlMs || Number.POSITIVE_INFINITY,
			this.#absoluteTtlMs || Number.POSITIVE_INFINITY,
		);
		this.#sweepIntervalMs = Math.min(30_000, Math.max(25, shortestTtl / 4));
		this.retryMs = options.retryMs ?? 1_000;
		this.#onerror = options.onerror;
		if (options.onerror !== undefined) {
			this.streams.onerror ??= options.onerror;
			this.info.onerror ??= options.onerror;
		}
		this.keepAlive = new KeepAlive(this.clock, options.keepAliveMs ?? 15_000);
		this.nodes = new NodeWatch(this.clock, (nodeId) => this.#bus.isThere(nodeId));
		this.notify = new Notifier(this.streams, this.info);
		this.#bus = new NodeBus(
			this.streams,
			this.nodeId,
			(message) => this.#receive(message),
			() => this.#distrust(),
			(error) => this.report(error),
		);
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
			},
			(error: unknown) => {
				this.#listening = undefined;
				throw error;
			},
		);
		return this.#listening;
	}

	/** Whether the store answers: whether requests of sessions that this node does not know yet can be served. */
	async isReady(): Promise<boolean> {
		try {
			await this.listen();
			await this.info.read('readiness');
			// Whoever does not hear the others cannot know what they have changed.
			return !this.#closed && (await this.#bus.isThere(this.nodeId));
		} catch (error) {
			this.report(toError(error));
			return false;
		}
	}

	/** The session with this id, or `undefined` when it is unknown, expired or over. */
	find(id: string): MaybePromise<NodeSession | undefined> {
		const known = this.#sessions.get(id);
		if (known === undefined) return this.#load(id);
		const now = this.clock.now();
		// Re-inserting keeps the order of use; once a second is exact enough.
		if (now - known.usedAt > 1_000 && this.#liveServers.delete(known)) this.#liveServers.add(known);
		if (known.expiresAt <= now || known.doubtful) {
			return whenReady(this.#reload(known), (there) => {
				if (there) this.#use(known, now);
				return there ? known : undefined;
			});
		}
		this.#use(known, now);
		return known;
	}

	/** Opens a session with what the server answers to `initialize`; without a session where it refuses. */
	async initialize(
		request: JsonRpcRequest,
		params: InitializeParams,
		extra?: MessageExtra,
	): Promise<{ readonly answer: JsonRpcResult | JsonRpcFailure; readonly session?: NodeSession }> {
		await this.listen();
		const now = this.clock.now();
		const draft: SessionRecord = {
			id: randomBytes(24).toString('base64url'),
			protocolVersion: params.protocolVersion,
			initializeParams: params,
			serverCapabilities: {},
			createdAt: now,
			lastUsedAt: now,
			...(this.#idleTtlMs > 0 && { idleTtlMs: this.#idleTtlMs }),
			...(this.#absoluteTtlMs > 0 && { endsAt: now + this.#absoluteTtlMs }),
		};
		const session = new NodeSession(this, draft);
		const answer = await session.initialize(request, extra);
		if ('error' in answer) return { answer };
		const record = {
			...draft,
			protocolVersion: String(answer.result['protocolVersion']),
			serverCapabilities: (answer.result['capabilities'] ?? {}) as Capabilities,
		};
		session.refresh(record);
		try {
			if (!(await this.info.create(record))) throw new Error('A fresh session id was taken.');
		} catch (error) {
			await session.release();
			throw error;
		}
		this.#sessions.set(session.id, session);
		this.#sweepLater();
		return { answer, session };
	}

	/** Whether `count` more requests of `session` may run. */
	mayRun(session: NodeSession, count: number): boolean {
		return session.running + count <= this.#maxRequestsInFlight;
	}

	/** Notes that the request stream `streamId` is being written here, until it is called off. */
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
		else this.#closeForNow(connection);
	}

	/**
	 * Gives a client's answer, progress or cancellation to whoever waits for it, on whichever node. `false` when that is nobody.
	 */
	deliver(session: NodeSession, message: JsonRpcMessage, extra?: MessageExtra): MaybePromise<boolean> {
		if (isCall(message) && message.method === 'notifications/cancelled') {
			const { requestId, reason } = message.params ?? {};
			// There is no such request anywhere.
			if (typeof requestId !== 'string' && typeof requestId !== 'number') return true;
			return whenReady(session.cancel(requestId, message, extra), (cancelled) => {
				if (cancelled) return true;
				// It goes to every node: only what they need of it, whatever else the client put in.
				const params = { requestId, ...(typeof reason === 'string' && { reason }) };
				return this.#forward(undefined, session, { jsonrpc: '2.0', method: message.method, params });
			});
		}
		const wireId = isCall(message) ? message.params?.['progressToken'] : message.id;
		const nodeId = nodeOfWireId(wireId);
		if (nodeId !== undefined && nodeId !== this.nodeId) {
			const there = this.#forward(nodeId, session, message);
			// Progress for what nobody waits for any more is late, not wrong.
			return isCall(message) ? there.then(() => true) : there;
		}
		if (!isCall(message)) return session.answer(message, extra);
		session.progress(message, extra);
		return true;
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

	/** Ends a session on every node. The calls that run in it get a moment for an answer of their own. */
	async terminate(id: string, reason: string): Promise<void> {
		await this.info.delete(id);
		this.#endHere(id, reason, true);
		await this.#bus.tellAll({ type: 'session-ended', sessionId: id, reason });
	}

	/** Frees the live server of a session on this node; `false` when it is busy. The next request makes it again. */
	async release(id: string): Promise<boolean> {
		const session = this.#sessions.get(id);
		if (session === undefined) return true;
		const released = await session.release();
		if (released && session.connections.size === 0) this.#forget(session);
		return released;
	}

	/** A session got its live server. */
	onliveserver(session: NodeSession): void {
		this.#liveServers.add(session);
		if (this.#liveServers.size > this.#maxLiveServers) this.#releaseOldest();
	}

	/** A session lost its live server. */
	onliveserverclosed(session: NodeSession): void {
		this.#liveServers.delete(session);
	}

	/** Closes all connections and live servers here; the sessions live on in the store. Closes the managers that it made. */
	async close(): Promise<void> {
		if (this.#closed) return;
		this.#closed = true;
		this.#stopSweep?.();
		this.#stopForgetting?.();
		this.nodes.close();
		for (const session of this.#sessions.values()) {
			await session.finish('the node closed');
			session.closeConnections();
		}
		this.#sessions.clear();
		await this.#bus.close();
		for (const manager of this.#owned) await manager.close();
	}

	#own<T extends StreamSessionManager | InfoSessionManager>(manager: T): T {
		this.#owned.push(manager);
		return manager;
	}

	#use(session: NodeSession, now: number): void {
		session.usedAt = now;
		const { idleTtlMs } = session.record;
		if (idleTtlMs === undefined || now - session.touchedAt < Math.min(idleTtlMs / 10, MINUTE)) return;
		session.touched(now);
		inBackground(this.info.touch(session.id, now), (error) => this.report(error));
	}

	#load(id: string): MaybePromise<NodeSession | undefined> {
		const finding = this.#finding.get(id);
		if (finding !== undefined) return finding;
		const read = this.#hears ? this.info.read(id) : Promise.resolve(this.listen()).then(() => this.info.read(id));
		if (!(read instanceof Promise)) return read && this.#admit(read);
		const found = read
			.then((record) => record && (this.#sessions.get(id) ?? this.#admit(record)))
			.finally(() => this.#finding.delete(id));
		this.#finding.set(id, found);
		return found;
	}

	#admit(record: SessionRecord): NodeSession {
		const session = new NodeSession(this, record);
		this.#sessions.set(record.id, session);
		this.#use(session, this.clock.now());
		this.#sweepLater();
		return session;
	}

	/** Takes in what the store says; ends the session here when the store no longer knows it. */
	#reload(session: NodeSession): MaybePromise<boolean> {
		return whenReady(this.info.read(session.id), (record) => {
			if (record === undefined) this.#endHere(session.id, 'expired', true);
			else session.refresh(record);
			return record !== undefined;
		});
	}

	/** News may have been missed: nothing that is cached is believed before the store has confirmed it. */
	#distrust(): void {
		for (const session of this.#sessions.values()) {
			session.doubtful = true;
			// Those with something open would not ask by themselves.
			if (session.busy || session.connections.size > 0) void this.#confirm(session);
		}
	}

	/** Has the store confirm a doubtful session, again and again while it is away. */
	async #confirm(session: NodeSession): Promise<void> {
		try {
			await this.#reload(session);
		} catch (error) {
			this.report(toError(error));
			this.clock.after(CONFIRM_RETRY_MS, () => {
				if (session.doubtful && !session.ended && !this.#closed) void this.#confirm(session);
			});
		}
	}

	/** Ends a session on this node. Its streams are forgotten by the node that ended it, once every node had time to answer. */
	#endHere(id: string, reason: string, forgetStreams: boolean): void {
		const session = this.#sessions.get(id);
		if (session !== undefined) {
			this.#sessions.delete(id);
			session.markEnded(reason);
			session.sessionConnection?.close();
			const finish = () => inBackground(session.finish(reason), (error) => this.report(error));
			if (session.running === 0) finish();
			else this.clock.after(END_GRACE_MS, finish);
		}
		this.#ended.push({ id, session, forgetStreams, at: this.clock.now() + FORGET_AFTER_MS });
		this.#forgetLater();
	}

	/** One timer for all sessions that ended lately. */
	#forgetLater(): void {
		const [next] = this.#ended;
		if (next === undefined || this.#closed) return;
		this.#stopForgetting ??= this.clock.after(next.at - this.clock.now(), () => {
			this.#stopForgetting = undefined;
			const now = this.clock.now();
			const due = this.#ended.findIndex(({ at }) => at > now);
			for (const { id, session, forgetStreams } of this.#ended.splice(0, due === -1 ? this.#ended.length : due)) {
				session?.closeConnections();
				if (forgetStreams) inBackground(this.streams.delete(id), (error) => this.report(error));
			}
			this.#forgetLater();
		});
	}

	#closeForNow(connection: Connection): void {
		connection.write(retryEvent(this.retryMs));
		connection.close();
	}

	async #forward(nodeId: string | undefined, session: NodeSession, message: JsonRpcMessage): Promise<boolean> {
		const forwarded: NodeMessage = { type: 'client-message', sessionId: session.id, message };
		if (nodeId === undefined) {
			await this.#bus.tellAll(forwarded);
			return true;
		}
		if (await this.nodes.isGone(nodeId)) return false;
		await this.#bus.tell(nodeId, forwarded);
		return true;
	}

	#receive(message: NodeMessage): void {
		if (message.type === 'close-connection') {
			for (const session of this.#sessions.values()) {
				const connection = session.connections.get(message.streamId);
				if (connection !== undefined) this.#closeForNow(connection);
			}
			return;
		}
		if (message.type === 'stream-resumed') {
			this.watchStream(this.nodeId, message.streamId, message.primed);
			return;
		}
		const session = this.#sessions.get(message.sessionId);
		if (session === undefined) return;
		if (message.type === 'session-ended') this.#endHere(session.id, message.reason, false);
		else if (message.type === 'session-changed') inBackground(this.#reload(session), (error) => this.report(error));
		else this.#deliverHere(session, message.message);
	}

	#deliverHere(session: NodeSession, message: JsonRpcMessage): void {
		if (!isCall(message)) session.answer(message);
		else if (message.method !== 'notifications/cancelled') session.progress(message);
		else {
			const id = message.params?.['requestId'];
			if (typeof id !== 'string' && typeof id !== 'number') return;
			inBackground(session.cancel(id, message), (error) => this.report(error));
		}
	}

	/** Frees idle live servers until the bound holds, the one that was used longest ago first. */
	#releaseOldest(): void {
		let excess = this.#liveServers.size - this.#maxLiveServers;
		// Busy ones are looked at in vain; a bounded look keeps this cheap when most are.
		let looks = 64;
		for (const session of this.#liveServers) {
			if (excess <= 0 || looks-- === 0) return;
			if (session.busy) {
				// What runs is in use; behind the idle ones it does not hide them from the next look.
				this.#liveServers.delete(session);
				this.#liveServers.add(session);
				continue;
			}
			excess--;
			inBackground(this.release(session.id), (error) => this.report(error));
		}
	}

	#forget(session: NodeSession): void {
		if (this.#sessions.get(session.id) === session) this.#sessions.delete(session.id);
	}

	/** One timer for all sessions, set only while there are any. */
	#sweepLater(): void {
		if (this.#closed) return;
		this.#stopSweep ??= this.clock.after(this.#sweepIntervalMs, () => {
			this.#stopSweep = undefined;
			this.#sweep();
			if (this.#sessions.size > 0) this.#sweepLater();
		});
	}

	/** Ends what has expired, keeps alive what runs, and forgets what this node need not know. */
	#sweep(): void {
		const now = this.clock.now();
		for (const session of this.#sessions.values()) {
			if (session.busy) this.#use(session, now);
			else if (session.expiresAt <= now) {
				try {
					inBackground(this.#reload(session), (error) => this.report(error));
				} catch (error) {
					this.report(toError(error));
				}
			} else if (!session.hasLiveServer && session.connections.size === 0) this.#forget(session);
		}
		// Those that were busy when the bound was passed may be idle now.
		this.#releaseOldest();
	}
}
