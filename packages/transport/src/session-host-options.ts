import type { Clock, InfoSessionManager, StreamSessionManager } from '@holdfast/session-manager';

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
