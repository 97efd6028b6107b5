import type { Clock } from '@holdfast/session-manager';
import type { RequestStreams } from './cluster/request-streams.js';
import { closeForReconnect } from './http/connection.js';
import type { Connections } from './http/connections.js';
import type { NodeContext } from './node/node-context.js';
import type { LiveServerPool } from './session/live-server-pool.js';
import type { SessionCache } from './session/session-cache.js';

/** Options of `drain`. */
export interface DrainOptions {
	/** How long all is served as before, while balancers learn that this node is not ready, in milliseconds (default 2,000). */
	readonly delayMs?: number;
	/** How long what is in flight may go on after that, in milliseconds (default 25,000). */
	readonly timeoutMs?: number;
	/** Clients are told to come back at times that are spread over so many milliseconds (default 5,000). */
	readonly spreadMs?: number;
}

/** What draining looks at. */
export interface DrainParts {
	readonly context: NodeContext;
	readonly connections: Connections;
	readonly requestStreams: RequestStreams;
	readonly liveServers: LiveServerPool;
	readonly sessions: SessionCache;
}

/** How often is looked whether all is done, in milliseconds. */
const LOOK_MS = 50;

/**
 * Moves the clients of a node to others, and waits until what is in flight has ended, but no longer than the options say. What
 * arrives meanwhile is still served.
 */
export async function drain(parts: DrainParts, options: DrainOptions = {}): Promise<void> {
	const { delayMs = 2_000, timeoutMs = 25_000, spreadMs = 5_000 } = options;
	const { clock } = parts.context;
	await pause(clock, delayMs);
	const deadline = clock.monotonic() + timeoutMs;
	moveStreams(parts, spreadMs);
	while (!parts.context.closed && (isBusy(parts) || isResponding(parts))) {
		const left = deadline - clock.monotonic();
		if (left <= 0) return;
		await pause(clock, Math.min(left, LOOK_MS));
	}
}

/** Closes the streams that no call here writes to; their clients come back to the rest of them elsewhere. */
function moveStreams({ sessions, connections, requestStreams }: DrainParts, spreadMs: number): void {
	for (const [sessionId, open] of [...connections]) {
		// The one stream of HTTP+SSE carries the responses to all calls, and cannot be resumed.
		const session = sessions.get(sessionId);
		if (session?.record.transport === 'sse' && session.busy) continue;
		for (const [streamId, connection] of [...open]) {
			if (requestStreams.isWriting(streamId)) continue;
			closeForReconnect(connection, connections.retryMs + Math.floor(Math.random() * spreadMs));
		}
	}
}

/** Whether requests of clients run here, or requests to clients wait here. */
function isBusy({ liveServers }: DrainParts): boolean {
	for (const server of liveServers) if (server.busy) return true;
	return false;
}

/** Whether a response is still on its way: the stream of a request is open until its client has it. */
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
