import type { AuthenticationOptions } from './http/authentication.js';
import type { ConnectionsOptions } from './http/connections.js';
import type { RequestGuardOptions } from './http/request-guard.js';
import type { NodeOptions } from './node/node-context.js';
import type { LocalSessionOptions } from './session/local-session.js';
import type { SessionFactoryOptions } from './session/session-factory.js';
import type { SessionIdOptions } from './session/session-id.js';

/** Options about the sessions of a node. */
export interface SessionOptions
	extends NodeOptions,
		ConnectionsOptions,
		LocalSessionOptions,
		SessionFactoryOptions,
		SessionIdOptions {
	/**
	 * How long nobody uses a session without a connection before it is suspended, in milliseconds (default 5 minutes; 0: never):
	 * no node keeps anything of it in memory, and the next request resumes it.
	 */
	readonly suspendAfterMs?: number;
	/** SDK servers kept on this node (default 2,000); the least recently used is evicted, and made again when needed. */
	readonly maxLiveServers?: number;
}

/** Options of every {@link ServerTransport}. */
export interface ServerTransportOptions extends SessionOptions, RequestGuardOptions, AuthenticationOptions {
	/** The longest body, in bytes (default 4 MiB); a longer one is refused before it is parsed. */
	readonly maxBodyBytes?: number;
}

/** What a node holds at the moment. */
export interface NodeStats {
	/** Sessions that this node knows. */
	readonly sessions: number;
	readonly liveServers: number;
	/** Requests of clients that run here. */
	readonly requestsInFlight: number;
	/** Requests to clients that wait here for a response. */
	readonly requestsWaiting: number;
	/** Open SSE connections. */
	readonly connections: number;
}
