import type { Clock } from '@holdfast/session-manager';
import { isSessionStream, isThenable } from '@holdfast/session-manager/custom';
import { ms, type OptionSchemas } from '@holdfast/session-manager/internal';
import type { RequestStreams } from './cluster/request-streams.js';
import { type Connection, closeForReconnect } from './http/connection.js';
import type { Connections } from './http/connections.js';
import type { NodeContext } from './node/node-context.js';
import type { LiveServerPool } from './session/live-server-pool.js';
import type { SessionLifecycle } from './session/session-lifecycle.js';

/** Options of `ServerTransport.drain` and `shutdown`. */
export interface DrainOptions {
	/**
	 * How long this node serves everything as before, in milliseconds. Load balancers learn meanwhile that it is not
	 * ready.
	 * @default 2_000
	 */
	readonly delayMs?: number;
	/**
	 * How long requests in flight may run after that, in milliseconds.
	 * @default 25_000
	 */
	readonly timeoutMs?: number;
	/**
	 * Over how long the clients' reconnects are spread, in milliseconds, so that they do not all come back at once.
	 * Streams that cannot be resumed end within `timeoutMs` all the same.
	 * @default 5_000
	 */
	readonly spreadMs?: number;
}

/** A schema for each. */
export const drainSchemas: OptionSchemas<DrainOptions> = { delayMs: ms, timeoutMs: ms, spreadMs: ms };

/** The parts of a node that draining works on. */
export interface DrainParts {
	readonly context: NodeContext;
	readonly connections: Connections;
	readonly requestStreams: RequestStreams;
	readonly liveServers: LiveServerPool;
	readonly lifecycle: SessionLifecycle;
	readonly guests: readonly DrainGuest[];
}

/** What a transport does on its node besides sessions, as draining sees it. */
export interface DrainGuest {
	/** Whether a request runs. */
	readonly busy: boolean;
	/** The node leaves: what could stay open for long is to be closed within `spreadMs` milliseconds. */
	leave(spreadMs: number): void;
}

/** How often draining checks whether everything has ended, in milliseconds. */
const CHECK_INTERVAL_MS = 50;

/** The default of `delayMs`. */
export const DEFAULT_DELAY_MS = 2_000;

/**
 * Moves the clients of the nodes of one process to other processes, then waits until everything in flight on all of
 * them has ended and `mayEnd` agrees, `timeoutMs` has passed, or `signal` aborts. Requests that arrive meanwhile are
 * still served. Resolves early where the nodes close.
 */
export async function drain(
	clock: Clock,
	nodes: readonly DrainParts[],
	{ timeoutMs = 25_000, spreadMs = 5_000 }: DrainOptions = {},
	mayEnd: () => boolean = () => true,
	signal?: AbortSignal,
): Promise<void> {
	const deadline = clock.monotonic() + timeoutMs;
	const endsMs = Math.min(spreadMs, timeoutMs);
	const moves = nodes.map((node) => new Move(node, spreadMs, endsMs));
	for (const { guests } of nodes) for (const guest of guests) guest.leave(endsMs);
	for (;;) {
		const closing = moves.flatMap((move) => move.go());
		const works = nodes.some((node) => !node.context.closed && (isBusy(node) || isResponding(node)));
		if (mayEnd() && !works) break;
		const left = deadline - clock.monotonic();
		if (left <= 0 || signal?.aborted) return;
		const checked = pause(clock, Math.min(left, CHECK_INTERVAL_MS), signal);
		await (closing.length === 0 ? checked : Promise.race([checked, Promise.all(closing)]));
	}
	await Promise.all(nodes.map(({ lifecycle }) => lifecycle.settled()));
}

/** Closes the streams of one node, each at a moment when its client loses nothing. */
class Move {
	readonly #node: DrainParts;
	readonly #spreadMs: number;
	readonly #endsMs: number;
	/** When streams that cannot be resumed may be closed, on the monotonic clock. */
	readonly #dueAt = new WeakMap<Connection, number>();
	#hasBegun = false;

	/** Reconnects are spread over `spreadMs`, and ends of streams that cannot be resumed over `endsMs`. */
	constructor(node: DrainParts, spreadMs: number, endsMs: number) {
		this.#node = node;
		this.#spreadMs = spreadMs;
		this.#endsMs = endsMs;
	}

	/** Closes what can be closed now. Returns what it is not yet known of. */
	go(): PromiseLike<void>[] {
		const closing: PromiseLike<void>[] = [];
		const { connections, requestStreams, context } = this.#node;
		const now = context.clock.monotonic();
		if (!this.#hasBegun) this.#spread(now);
		for (const [streamId, connection] of [...connections]) {
			const leave = connections.leaveOf(connection);
			if (leave !== undefined) {
				const left = (this.#dueAt.get(connection) ?? now) <= now ? leave() : undefined;
				if (isThenable(left)) closing.push(left);
			} else if (!requestStreams.isWriting(streamId))
				closeForReconnect(connection, connections.retryMs + Math.floor(Math.random() * this.#spreadMs));
		}
		return closing;
	}

	/** Clients that cannot resume must come back at once, so it is their streams' ends that are spread. */
	#spread(now: number): void {
		this.#hasBegun = true;
		const { connections } = this.#node;
		const all = [...connections].map(([, connection]) => connection);
		const spread = all.filter((connection) => connections.leaveOf(connection) !== undefined);
		for (const [index, connection] of spread.entries())
			this.#dueAt.set(connection, now + (index * this.#endsMs) / spread.length);
	}
}

/** Whether requests of clients run on this node, or requests to clients wait here. */
function isBusy({ liveServers, guests }: DrainParts): boolean {
	for (const server of liveServers) if (server.busy) return true;
	return guests.some(({ busy }) => busy);
}

/**
 * Whether a response is still being sent: a request's stream stays open until its client has the response, and one
 * that cannot be resumed until its client makes no calls.
 */
function isResponding({ connections, requestStreams }: DrainParts): boolean {
	for (const [streamId, connection] of connections) {
		if (!isSessionStream(streamId) || requestStreams.isWriting(streamId)) return true;
		if (connections.leaveOf(connection) !== undefined) return true;
	}
	return false;
}

/** Resolves after `ms`, or once `signal` aborts. */
export function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
	return new Promise((resolve) => {
		if (ms <= 0 || signal?.aborted) return resolve();
		const done = () => {
			stop();
			signal?.removeEventListener('abort', done);
			resolve();
		};
		const stop = clock.after(ms, done);
		signal?.addEventListener('abort', done);
	});
}
