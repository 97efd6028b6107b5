import type { Clock } from '@holdfast/session-manager';
import { closeForNow } from './connection.js';
import type { NodeSession } from './node-session.js';

/** Options of `drain`. */
export interface DrainOptions {
	/** How long all is served as before, while balancers learn that this node is not ready, in milliseconds (default 2,000). */
	readonly delayMs?: number;
	/** How long what is in flight may go on after that, in milliseconds (default 25,000). */
	readonly timeoutMs?: number;
	/** Clients are told to come back at times that are spread over so many milliseconds (default 5,000). */
	readonly spreadMs?: number;
}

/** What draining needs from the node. */
export interface DrainHome {
	readonly clock: Clock;
	readonly closed: boolean;
	readonly retryMs: number;
	/** Requests of clients that run here, and requests to clients that wait here. */
	readonly inFlight: number;
	readonly sessions: Iterable<NodeSession>;
	/** Whether more is to be written to a stream here. */
	readonly isWriting: (streamId: string) => boolean;
}

/** How often is looked whether all is done, in milliseconds. */
const LOOK_MS = 50;

/**
 * Moves the clients of a node to others, and waits until what is in flight has ended, but no longer than the options say. What
 * arrives meanwhile is still served.
 */
export async function drain(home: DrainHome, options: DrainOptions = {}): Promise<void> {
	const { delayMs = 2_000, timeoutMs = 25_000, spreadMs = 5_000 } = options;
	await pause(home.clock, delayMs);
	const deadline = home.clock.now() + timeoutMs;
	for (const session of home.sessions) moveStreams(home, session, spreadMs);
	while (!home.closed && (home.inFlight > 0 || isAnswering(home))) {
		const left = deadline - home.clock.now();
		if (left <= 0) return;
		await pause(home.clock, Math.min(left, LOOK_MS));
	}
}

/** Closes the streams of a session that no call here writes to; their clients come back to the rest of them elsewhere. */
function moveStreams(home: DrainHome, session: NodeSession, spreadMs: number): void {
	// The one stream of HTTP+SSE carries the answers of all calls, and cannot be resumed.
	if (session.record.transport === 'sse' && session.busy) return;
	for (const [streamId, connection] of session.connections) {
		if (home.isWriting(streamId)) continue;
		closeForNow(connection, home.retryMs + Math.floor(Math.random() * spreadMs));
	}
}

/** Whether an answer is still on its way: the stream of a request is open until its client has it. */
function isAnswering({ sessions, isWriting }: DrainHome): boolean {
	for (const { id, connections } of sessions) {
		for (const streamId of connections.keys()) if (streamId !== id || isWriting(streamId)) return true;
	}
	return false;
}

function pause(clock: Clock, ms: number): Promise<void> {
	return new Promise((resolve) => {
		if (ms <= 0) resolve();
		else clock.after(ms, resolve);
	});
}
