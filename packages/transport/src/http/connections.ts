import { parseStreamId } from '@holdfast/session-manager/custom';
import type { ClusterBus } from '../cluster/cluster-bus.js';
import type { NodeContext } from '../node/node-context.js';
import { keepAliveComment } from '../protocol/sse.js';
import { type Connection, closeForReconnect } from './connection.js';

/** Options of the open connections of a node. */
export interface ConnectionsOptions {
	/** SSE connections that this node may hold open (default 50,000). */
	readonly maxStreams?: number;
	/** How often idle streams get a comment, in milliseconds (default 15 s; 0: never). */
	readonly keepAliveMs?: number;
	/** When clients that lost a stream are told to come back, in milliseconds (default 1 s). */
	readonly retryMs?: number;
}

const none: ReadonlyMap<string, Connection> = new Map();

/**
 * The open SSE connections of a node: counts and bounds them, keeps proxies from cutting idle ones, and closes them. One timer
 * for all, set only while there are any.
 */
export class Connections implements Iterable<readonly [sessionId: string, open: ReadonlyMap<string, Connection>]> {
	/** When clients that lost a stream are told to come back, in milliseconds. */
	readonly retryMs: number;
	readonly #context: NodeContext;
	readonly #bus: ClusterBus;
	readonly #max: number;
	readonly #keepAliveMs: number;
	readonly #all = new Set<Connection>();
	/** By session and stream. */
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

	get size(): number {
		return this.#all.size;
	}

	/** Whether no more may be opened. */
	get isFull(): boolean {
		return this.#all.size >= this.#max;
	}

	[Symbol.iterator](): Iterator<readonly [sessionId: string, open: ReadonlyMap<string, Connection>]> {
		return this.#bySession.entries();
	}

	/** The open connections of a session, by stream id. */
	of(sessionId: string): ReadonlyMap<string, Connection> {
		return this.#bySession.get(sessionId) ?? none;
	}

	/** The open connection of a stream, the newest where there are several. */
	get(streamId: string): Connection | undefined {
		return this.#bySession.get(parseStreamId(streamId).sessionId)?.get(streamId);
	}

	/** Takes care of a connection until it ends. */
	add(streamId: string, connection: Connection): void {
		const { sessionId } = parseStreamId(streamId);
		const open = this.#bySession.get(sessionId) ?? new Map<string, Connection>();
		this.#bySession.set(sessionId, open.set(streamId, connection));
		this.#all.add(connection);
		if (this.#keepAliveMs > 0) this.#commentLater();
		connection.onEnd(() => {
			this.#all.delete(connection);
			if (this.#all.size === 0) this.#stopCommenting();
			if (open.get(streamId) !== connection) return;
			open.delete(streamId);
			if (open.size === 0) this.#bySession.delete(sessionId);
		});
	}

	/** Closes the connection of a stream, on whichever node it is, so that its client comes back for the rest. */
	closeForReconnect(streamId: string): void {
		if (this.#closeHere(streamId)) return;
		this.#context.background(() => this.#bus.tellAll({ type: 'close-connection', streamId }));
	}

	/** Closes the connections of a session so that its client comes back for the rest of each stream. */
	closeAllForReconnect(sessionId: string): void {
		for (const connection of [...this.of(sessionId).values()]) closeForReconnect(connection, this.retryMs);
	}

	/** Closes every connection of a session. */
	closeAll(sessionId: string): void {
		for (const connection of [...this.of(sessionId).values()]) connection.close();
	}

	#closeHere(streamId: string): boolean {
		const connection = this.get(streamId);
		if (connection !== undefined) closeForReconnect(connection, this.retryMs);
		return connection !== undefined;
	}

	#commentLater(): void {
		this.#stopComments ??= this.#context.clock.after(this.#keepAliveMs, () => {
			this.#stopComments = undefined;
			this.#commentLater();
			for (const connection of this.#all) {
				// A client that is behind has bytes on their way already.
				if ((connection.desiredSize ?? 0) > 0) connection.write(keepAliveComment);
			}
		});
	}

	#stopCommenting(): void {
		this.#stopComments?.();
		this.#stopComments = undefined;
	}
}
