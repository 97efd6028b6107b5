import { parseStreamId } from '@holdfast/session-manager/custom';
import type { ClusterBus } from '../cluster/cluster-bus.js';
import type { NodeContext } from '../node/node-context.js';
import { keepAliveComment } from '../protocol/sse.js';
import { type Connection, closeForReconnect } from './connection.js';

/** Options for the open connections of a node. */
export interface ConnectionsOptions {
	/**
	 * How many SSE connections this node holds open at most. One more is refused with 503.
	 * @default 50_000
	 */
	readonly maxStreams?: number;
	/**
	 * How often idle streams get a comment, in milliseconds; 0: never. Proxies close streams that stay silent.
	 * @default 15_000
	 */
	readonly keepAliveMs?: number;
	/**
	 * How long clients wait before they reopen a stream that ended, in milliseconds; sent as `retry` of SSE.
	 * @default 1_000
	 */
	readonly retryMs?: number;
}

const none: ReadonlyMap<string, Connection> = new Map();

/**
 * The open SSE connections of a node: counts and bounds them, keeps idle ones alive, and closes them. All share one
 * timer, which runs only while there are any.
 */
export class Connections implements Iterable<readonly [sessionId: string, open: ReadonlyMap<string, Connection>]> {
	/** How long clients wait before they reopen a stream that ended, in milliseconds. */
	readonly retryMs: number;
	readonly #context: NodeContext;
	readonly #bus: ClusterBus;
	readonly #max: number;
	readonly #keepAliveMs: number;
	readonly #all = new Set<Connection>();
	/** By session id, then stream id. */
	readonly #bySession = new Map<string, Map<string, Connection>>();
	#stopComments: (() => void) | undefined;

	constructor(context: NodeContext, bus: ClusterBus, options: ConnectionsOptions) {
		this.retryMs = options.retryMs ?? 1_000;
		this.#context = context;
		this.#bus = bus;
		this.#max = options.maxStreams ?? 50_000;
		this.#keepAliveMs = options.keepAliveMs ?? 15_000;
		bus.on('close-connection', ({ streamId }) => this.#closeHere(streamId));
	}

	/** How many connections are open. */
	get size(): number {
		return this.#all.size;
	}

	/** Whether the limit is reached. */
	get isFull(): boolean {
		return this.#all.size >= this.#max;
	}

	[Symbol.iterator](): Iterator<readonly [sessionId: string, open: ReadonlyMap<string, Connection>]> {
		return this.#bySession.entries();
	}

	/** Returns the open connections of a session, by stream id. */
	of(sessionId: string): ReadonlyMap<string, Connection> {
		return this.#bySession.get(sessionId) ?? none;
	}

	/** Returns the open connection of a stream; the newest where there are several. */
	get(streamId: string): Connection | undefined {
		return this.#bySession.get(parseStreamId(streamId).sessionId)?.get(streamId);
	}

	/** Tracks a connection until it ends. */
	add(streamId: string, connection: Connection): void {
		const { sessionId } = parseStreamId(streamId);
		const open = this.#bySession.get(sessionId) ?? new Map<string, Connection>();
		this.#bySession.set(sessionId, open.set(streamId, connection));
		this.#all.add(connection);
		if (this.#keepAliveMs > 0) this.#scheduleComments();
		connection.onEnd(() => {
			this.#all.delete(connection);
			if (this.#all.size === 0) this.#stopScheduledComments();
			if (open.get(streamId) !== connection) return;
			open.delete(streamId);
			if (open.size === 0) this.#bySession.delete(sessionId);
		});
	}

	/** Closes the connection of a stream, on whichever node it is, so that its client resumes it later. */
	closeForReconnect(streamId: string): void {
		if (this.#closeHere(streamId)) return;
		this.#context.background(() => this.#bus.tellAll({ type: 'close-connection', streamId }));
	}

	/** Closes the connections of a session on this node, so that its client resumes each stream later. */
	closeAllForReconnect(sessionId: string): void {
		for (const connection of [...this.of(sessionId).values()]) closeForReconnect(connection, this.retryMs);
	}

	/** Closes every connection of a session on this node. */
	closeAll(sessionId: string): void {
		for (const connection of [...this.of(sessionId).values()]) connection.close();
	}

	#closeHere(streamId: string): boolean {
		const connection = this.get(streamId);
		if (connection !== undefined) closeForReconnect(connection, this.retryMs);
		return connection !== undefined;
	}

	#scheduleComments(): void {
		this.#stopComments ??= this.#context.clock.after(this.#keepAliveMs, () => {
			this.#stopComments = undefined;
			this.#scheduleComments();
			for (const connection of this.#all) {
				// A client that reads slowly still has buffered bytes to receive.
				if ((connection.desiredSize ?? 0) > 0) connection.write(keepAliveComment);
			}
		});
	}

	#stopScheduledComments(): void {
		this.#stopComments?.();
		this.#stopComments = undefined;
	}
}
