import type { Clock } from '@holdfast/session-manager';
import type { RequestStreams } from './cluster/request-streams.js';
import { closeForReconnect } from './http/connection.js';
import type { Connections } from './http/connections.js';
import type { NodeContext } from './node/node-context.js';
import type { LiveServerPool } from './session/live-server-pool.js';
import type { SessionCache } from './session/session-cache.js';

/** Options of `ServerTransport.drain`. */
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
	 * @default 5_000
	 */
	readonly spreadMs?: number;
}

/** The parts of a node that draining works on. */
export interface DrainParts {
	readonly context: NodeContext;
	readonly connections: Connections;
	readonly requestStreams: RequestStreams;
	readonly liveServers: LiveServerPool;
	readonly sessions: SessionCache;
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

/**
 * Moves the clients of this node to other nodes, then waits until everything in flight has ended or `timeoutMs` has
 * passed. Requests that arrive meanwhile are still served. Resolves early where the node closes.
 */
export async function drain(parts: DrainParts, options: DrainOptions = {}): Promise<void> {
	const { delayMs = 2_000, timeoutMs = 25_000, spreadMs = 5_000 } = options;
	const { clock } = parts.context;
	await pause(clock, delayMs);
	const deadline = clock.monotonic() + timeoutMs;
	moveStreams(parts, spreadMs);
	for (const guest of parts.guests) guest.leave(spreadMs);
	while (!parts.context.closed && (isBusy(parts) || isResponding(parts))) {
		const left = deadline - clock.monotonic();
		if (left <= 0) return;
		await pause(clock, Math.min(left, CHECK_INTERVAL_MS));
	}
}

/** Closes the streams that no request on this node writes to. Their clients resume on another node. */
function moveStreams({ sessions, connections, requestStreams }: DrainParts, spreadMs: number): void {
	for (const [sessionId, open] of [...connections]) {
		// The one stream of an HTTP+SSE session carries the responses to all its requests, and cannot be resumed.
		const session = sessions.get(sessionId);
		if (session?.record.transport === 'sse' && session.busy) continue;
		for (const [streamId, connection] of [...open]) {
			if (requestStreams.isWriting(streamId)) continue;
			closeForReconnect(connection, connections.retryMs + Math.floor(Math.random() * spreadMs));
		}
	}
}

/** Whether requests of clients run on this node, or requests to clients wait here. */
function isBusy({ liveServers, guests }: DrainParts): boolean {
	for (const server of liveServers) if (server.busy) return true;
	return guests.some(({ busy }) => busy);
}

/** Whether a response is still being sent: a request's stream stays open until its client has the response. */
function isResponding({ connections, requestStreams }: DrainParts): boolean {
	for (const [sessionId, open] of connections) {
		for (const streamId of open.keys()) if (streamId !== sessionId || requestStreams.isWriting(streamId)) return true;
	}
	return false;
}

function pause(clock: Clock, ms: number): Promise<void> {
	return new Promise((resolve) => {
		if (ms <= 0) resolve();
		else clock.after(ms, resolve);
	});
}
