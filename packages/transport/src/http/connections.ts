import { type MaybePromise, parseStreamId } from '@holdfast/session-manager/custom';
import type { ClusterBus } from '../cluster/cluster-bus.js';
import { type Deadline, DeadlineQueue } from '../node/deadline-queue.js';
import type { NodeContext } from '../node/node-context.js';
import type { Observation, StreamKind } from '../node/observer.js';
import { type Connection, closeForReconnect, type Headers } from './connection.js';
import type { HttpExchange } from './exchange.js';
import { KeepAlive } from './keep-alive.js';
import { type HttpProblem, problems } from './problems.js';
import { SessionConnections } from './session-connections.js';

/** Options for the open connections of a node. */
export interface ConnectionsOptions {
	/**
	 * How many SSE streams this node holds at most, those of POSTs included. A stream counts until its client has read
	 * all of it, or is gone. A GET beyond it is refused with 503; a POST is answered as JSON where its response may be
	 * that.
	 * @default 50_000
	 */
	readonly maxStreams?: number;
	/**
	 * How many SSE streams of one session this node holds at most, and how many more that have ended and are not read. A
	 * GET beyond it is refused with 429; a POST is answered as JSON where its response may be that.
	 * @default 32
	 */
	readonly maxStreamsPerSession?: number;
	/**
	 * How often idle streams get a comment, in milliseconds; 0: never. Proxies and runtimes close streams that stay
	 * silent, some after 8 seconds.
	 * @default 7_000
	 */
	readonly keepAliveMs?: number;
	/**
	 * How long clients wait before they reopen a stream that ended, in milliseconds; sent as `retry` of SSE.
	 * @default 1_000
	 */
	readonly retryMs?: number;
}

/** How long a client may take to read the rest of a stream that has ended, in milliseconds. */
const READ_MS = 5_000;

/** Who is told of the ends of all connections of a node. */
interface EndOfHeld {
	ended(held: Held): void;
	gone(held: Held): void;
}

/** What is known of a connection that is not gone. */
class Held {
	readonly connection: Connection;
	/** The session for which it counts. */
	readonly counted: SessionConnections | undefined;
	/** The session and the stream for which it is open. */
	session: SessionConnections | undefined;
	streamId = '';
	/** Set while it gets comments. */
	part: Set<Connection> | undefined;
	/** Set once it has ended: until when its client may read the rest. */
	unread: Deadline<Connection> | undefined;
	readonly #end: EndOfHeld;

	constructor(connection: Connection, counted: SessionConnections | undefined, end: EndOfHeld) {
		this.connection = connection;
		this.counted = counted;
		this.#end = end;
	}

	ended(): void {
		this.#end.ended(this);
	}

	gone(): void {
		this.#end.gone(this);
	}
}

/** The open SSE connections of a node: counts and bounds them, keeps idle ones alive, and closes them. */
export class Connections implements Iterable<readonly [streamId: string, connection: Connection]> {
	/** How long clients wait before they reopen a stream that ended, in milliseconds. */
	readonly retryMs: number;
	readonly #context: NodeContext;
	readonly #bus: ClusterBus;
	readonly #max: number;
	readonly #maxPerSession: number;
	/** The open ones. */
	readonly #all: KeepAlive;
	/** What is not gone, open or not. */
	readonly #held = new Map<Connection, Held>();
	/** What has ended and is not read. */
	readonly #unread: DeadlineQueue<Connection>;
	readonly #bySession = new Map<string, SessionConnections>();
	/** One for all connections. */
	readonly #end: EndOfHeld = { ended: (held) => this.#ended(held), gone: (held) => this.#gone(held) };
	readonly #leaving = new WeakMap<Connection, () => MaybePromise<void>>();
	#closed = false;

	constructor(context: NodeContext, bus: ClusterBus, options: ConnectionsOptions) {
		this.retryMs = options.retryMs ?? 1_000;
		this.#context = context;
		this.#bus = bus;
		this.#max = options.maxStreams ?? 50_000;
		this.#maxPerSession = options.maxStreamsPerSession ?? 32;
		this.#all = new KeepAlive(context.clock, options.keepAliveMs ?? 7_000);
		this.#unread = new DeadlineQueue(context.clock, READ_MS, (connection) => connection.destroy());
		bus.on('close-connection', ({ streamId }) => this.#closeHere(streamId));
	}

	/** How many connections are open. */
	get size(): number {
		return this.#all.size;
	}

	/**
	 * Returns why stream `streamId` cannot be opened here now, if it cannot. One that takes the place of another always
	 * can, unless too many that have ended are not read: its client may have lost all of its connections.
	 */
	refusal(streamId: string): HttpProblem | undefined {
		const replaced = this.get(streamId) === undefined ? 0 : 1;
		if (this.#held.size - replaced >= this.#max) return problems.tooManyStreams;
		const { held, ended } = this.#bySession.get(parseStreamId(streamId).sessionId) ?? { held: 0, ended: 0 };
		const isOver = held - ended - replaced >= this.#maxPerSession || ended >= this.#maxPerSession;
		return isOver ? problems.tooManyStreamsOfSession : undefined;
	}

	/** Whether no stream more can be opened here now. */
	get isFull(): boolean {
		return this.#held.size >= this.#max;
	}

	/** Responds to a request with a stream of `sessionId`, which counts from now on. */
	open(exchange: HttpExchange, headers: Headers, sessionId: string | undefined): Connection {
		const connection = exchange.stream(headers);
		this.#hold(connection, sessionId);
		return connection;
	}

	/** Yields the open connections of all sessions. */
	*[Symbol.iterator](): Generator<readonly [streamId: string, connection: Connection], void> {
		for (const session of this.#bySession.values()) yield* session.open();
	}

	/** Whether a connection of a session is open. */
	has(sessionId: string): boolean {
		return this.#bySession.get(sessionId)?.isOpen ?? false;
	}

	/** Returns the open connections of a session, with their stream ids. */
	of(sessionId: string): readonly (readonly [streamId: string, connection: Connection])[] {
		return this.#bySession.get(sessionId)?.open() ?? [];
	}

	/** Returns the open connection of a stream; the newest where there are several. */
	get(streamId: string): Connection | undefined {
		return this.#bySession.get(parseStreamId(streamId).sessionId)?.get(streamId);
	}

	/** Returns the open connection of a session's own stream. */
	ofSessionStream(sessionId: string): Connection | undefined {
		return this.#bySession.get(sessionId)?.get(sessionId);
	}

	/**
	 * Tracks a connection until it ends; closes it at once where {@link close} was called. `leave` is called, again and
	 * again, when this node is about to leave; it closes the connection if its client loses nothing now, and resolves
	 * once that is known. Without it, the client can resume at any time.
	 */
	add(streamId: string, connection: Connection, leave?: () => MaybePromise<void>): void {
		const { sessionId } = parseStreamId(streamId);
		if (leave !== undefined) this.#leaving.set(connection, leave);
		const held = this.track(connection, sessionId, streamId === sessionId ? 'session' : 'request');
		if (!connection.open) return;
		held.session = this.#sessionOf(sessionId);
		held.streamId = streamId;
		held.session.set(streamId, connection);
	}

	/**
	 * Counts a connection, of a session or of none, and keeps it alive with comments, until it ends; closes it at once
	 * where {@link close} was called.
	 */
	track(connection: Connection, sessionId: string | undefined, kind: StreamKind): Held {
		const held = this.#hold(connection, sessionId);
		if (this.#closed) closeForReconnect(connection, this.retryMs);
		if (connection.open) held.part ??= this.#all.add(connection);
		const { observation } = this.#context;
		if (observation !== undefined) this.#observe(observation, connection, kind, sessionId);
		return held;
	}

	/** Returns what was passed to {@link add} to close this connection when the node leaves. */
	leaveOf(connection: Connection): (() => MaybePromise<void>) | undefined {
		return this.#leaving.get(connection);
	}

	/** Closes the connection of a stream, on whichever node it is, so that its client resumes it later. */
	closeForReconnect(streamId: string): void {
		if (this.#closeHere(streamId)) return;
		this.#context.background(() => this.#bus.tellAll({ type: 'close-connection', streamId }));
	}

	/** Closes the connections of a session on this node, so that its client resumes each stream later. */
	closeAllForReconnect(sessionId: string): void {
		for (const [, connection] of this.of(sessionId)) closeForReconnect(connection, this.retryMs);
	}

	/** Closes every connection of a session on this node. */
	closeAll(sessionId: string): void {
		for (const [, connection] of this.of(sessionId)) connection.close();
	}

	/** Closes the connections of all sessions, and each that is opened from now on. */
	close(): void {
		this.#closed = true;
		for (const [, connection] of [...this]) connection.close();
	}

	#observe(observation: Observation, connection: Connection, kind: StreamKind, sessionId: string | undefined): void {
		const { clock } = this.#context;
		const begun = clock.monotonic();
		const stream = { kind, ...(sessionId !== undefined && { sessionId }) };
		observation.emit({ type: 'stream-opened', ...stream });
		connection.onEnd(() =>
			observation.emit({ type: 'stream-ended', ...stream, durationMs: clock.monotonic() - begun }),
		);
	}

	#hold(connection: Connection, sessionId: string | undefined): Held {
		const known = this.#held.get(connection);
		if (known !== undefined) return known;
		const counted = sessionId === undefined ? undefined : this.#sessionOf(sessionId);
		const held = new Held(connection, counted, this.#end);
		this.#held.set(connection, held);
		if (counted !== undefined) counted.held++;
		connection.onEnd(held);
		connection.onGone(held);
		return held;
	}

	#ended(held: Held): void {
		const { connection, counted, session, streamId, part } = held;
		if (part !== undefined) this.#all.delete(connection, part);
		if (counted !== undefined) counted.ended++;
		held.unread = this.#unread.add(connection);
		session?.delete(streamId, connection);
		if (session !== undefined) this.#forget(session);
	}

	#gone({ connection, counted, unread }: Held): void {
		unread?.cancel();
		this.#held.delete(connection);
		if (counted === undefined) return;
		counted.held--;
		counted.ended--;
		this.#forget(counted);
	}

	#sessionOf(sessionId: string): SessionConnections {
		let session = this.#bySession.get(sessionId);
		if (session === undefined) {
			session = new SessionConnections(sessionId);
			this.#bySession.set(sessionId, session);
		}
		return session;
	}

	/** Forgets a session of which nothing is left here. */
	#forget(session: SessionConnections): void {
		if (session.held === 0 && !session.isOpen) this.#bySession.delete(session.id);
	}

	#closeHere(streamId: string): boolean {
		const connection = this.get(streamId);
		if (connection !== undefined) closeForReconnect(connection, this.retryMs);
		return connection !== undefined;
	}
}
