import type { NodeRegistryOptions } from './cluster/node-registry.js';
import type { AuthenticationOptions } from './http/authentication.js';
import type { BodyOptions } from './http/body-budget.js';
import type { ConnectionsOptions } from './http/connections.js';
import type { RequestGuardOptions } from './http/request-guard.js';
import type { NodeOptions } from './node/node-context.js';
import type { LocalSessionOptions } from './session/local-session.js';
import type { SessionFactoryOptions } from './session/session-factory.js';
import type { SessionIdOptions } from './session/session-id.js';

/** Options for the sessions of a node. */
export interface SessionOptions
	extends NodeOptions,
		NodeRegistryOptions,
		ConnectionsOptions,
		LocalSessionOptions,
		SessionFactoryOptions,
		SessionIdOptions {
	/**
	 * How long a session without a connection may go unused before it is suspended, in milliseconds; 0: never. A
	 * suspended session takes no memory on any node, and its next request resumes it.
	 * @default 300_000 (5 minutes)
	 */
	readonly suspendAfterMs?: number;
	/**
	 * How many SDK servers this node keeps. Past it, the least recently used idle one is evicted; the next request of its
	 * session makes it again.
	 * @default 2_000
	 */
	readonly maxLiveServers?: number;
}

/** Options of every `ServerTransport`. */
export interface ServerTransportOptions
	extends SessionOptions,
		RequestGuardOptions,
		AuthenticationOptions,
		BodyOptions {}

/** What a node holds now, as counts. */
export interface NodeStats {
	/** Sessions in this node's cache. */
	readonly sessions: number;
	/** SDK servers in memory. */
	readonly liveServers: number;
	/** Requests of clients that run on this node. */
	readonly requestsInFlight: number;
	/** Requests to clients that wait on this node for a response. */
	readonly requestsWaiting: number;
	/** Open SSE connections. */
	readonly connections: number;
	/** What the bodies that arrive, and those whose requests run, count towards `maxBodyBytesInFlight`. */
	readonly bodyBytes: number;
}
