import type { HistoryLimits, InfoSessionManager, MaybePromise, StreamSessionManager } from '@holdfast/session-manager';
import type { Ability } from './ability.js';

/** Creates the managers under test. */
export interface ManagerFactory {
	/** What the managers can do. */
	readonly abilities: readonly Ability[];
	/**
	 * Creates `count` nodes over one empty backend that no other call sees. `count` is 1 where `crossNode` is not
	 * declared. The managers must apply `limits` where `limits` or `capacity` is declared.
	 */
	createPeers(count: number, limits?: PeerLimits): MaybePromise<PeerGroup>;
}

/**
 * The limits of a stream manager: options of {@link https://www.npmjs.com/package/@holdfast/session-manager our own}.
 */
export interface StreamLimits {
	readonly history?: Partial<HistoryLimits>;
	readonly maxBufferedBytes?: number;
}

/** The limits of a peer's managers. */
export interface PeerLimits extends StreamLimits {
	/** How many sessions the info manager holds. */
	readonly maxSessions?: number;
}

/** The managers of one node: both, or one of them. */
export interface Peer {
	readonly streams?: StreamSessionManager;
	readonly info?: InfoSessionManager;
}

/** Nodes that share one backend. */
export interface PeerGroup {
	readonly peers: readonly Peer[];
	/** The handles that provoke failures; needed for `partition`, `outages`, `durable` and `dataLoss`. */
	readonly backend?: Backend;
	/** Closes every manager and everything else that was opened for them. Idempotent. */
	close(): MaybePromise<void>;
}

/** What a case can do to a backend. */
export interface Backend {
	/** Makes the backend unreachable for the node at `index` only: its connections break, and new ones fail. */
	cutOff?(index: number): MaybePromise<void>;
	/** Makes it reachable for that node again. */
	rejoin?(index: number): MaybePromise<void>;
	/** Makes the backend unreachable for every peer, as a network failure or a crash does. */
	fail?(): MaybePromise<void>;
	/** Makes it reachable again, with its data. */
	heal?(): MaybePromise<void>;
	/** Restarts the backend, as an operator does. */
	restart?(): MaybePromise<void>;
	/** Removes all data from the running backend. */
	loseData?(): MaybePromise<void>;
}
