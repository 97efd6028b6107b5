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
	/**
	 * For how long record and state of an ended session can be read for audit, in milliseconds (default 0: nothing is kept):
	 * `info.readEnded`, `info.listState`.
	 */
	readonly keepEndedMs?: number;
	/**
	 * A session without a connection that nobody used for so long is suspended, in milliseconds (default 5 minutes; 0: never): no
	 * node keeps anything of it in memory, and the next request resumes it.
	 */
	readonly suspendAfterMs?: number;
	/** Living sessions of one principal (default 100; 0: any number). */
	readonly maxSessionsPerPrincipal?: number;
	/** What happens to a session too many: it is refused with 429 (default), or the principal's oldest ends. */
	readonly onTooManySessions?: 'refuse' | 'end-oldest';
	/** Sessions that one principal may open on this node in a minute (default 600; 0: any number). */
	readonly maxOpensPerPrincipal?: number;
	/**
	 * Sessions without a verified principal that may be opened on this node from one address in a minute (default 0: any number,
	 * because behind a proxy all have its address).
	 */
	readonly maxOpensPerAddress?: number;
	/**
	 * Makes session ids instead of our CSPRNG: 8 to 256 visible ASCII characters, never the same again, and not to be guessed. An id
	 * that a client chose is never accepted.
	 */
	readonly getSessionId?: () => string;
	/**
	 * Whether sessions are stored under a hash of their id, so that nobody who reads the store can use one (default `false`).
	 * `session.id` is the hash then. All nodes must agree.
	 */
	readonly hashSessionIds?: boolean;
	/** SDK servers kept on this node (default 2,000); the one that was used longest ago goes first, and is made again when needed. */
	readonly maxLiveServers?: number;
	/** Requests of one session that may run on this node at once (default 256). */
	readonly maxRequestsInFlight?: number;
	/** Requests to the client of one session that may wait on this node at once (default 256). */
	readonly maxRequestsWaiting?: number;
	/** Resources that a session may be subscribed to (default 1,000). */
	readonly maxSubscriptions?: number;
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
