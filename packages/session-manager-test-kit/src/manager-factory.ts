import type { HistoryLimits, InfoSessionManager, MaybePromise, StreamSessionManager } from '@holdfast/session-manager';
import type { Ability } from './ability.js';

/** Makes the managers that are to be tried. */
export interface ManagerFactory {
	/** What the managers can do. */
	readonly abilities: readonly Ability[];
	/**
	 * Makes `count` nodes over one backend that no earlier or later call sees, and that is empty. Where `crossNode` is not
	 * declared, `count` is 1. `limits` are those that `limits` and `capacity` declare.
	 */
	createPeers(count: number, limits?: PeerLimits): MaybePromise<PeerGroup>;
}

/** How much a stream manager is to keep: options of {@link https://www.npmjs.com/package/@holdfast/session-manager our own}. */
export interface StreamLimits {
	readonly history?: Partial<HistoryLimits>;
	readonly maxBufferedBytes?: number;
}

/** How much the managers of a peer are to keep. */
export interface PeerLimits extends StreamLimits {
	/** How many sessions the info manager is to hold. */
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
	/** What provokes failures, as far as that is possible; needed for `partition`, `outages`, `durable` and `dataLoss`. */
	readonly backend?: Backend;
	/** Closes every manager and whatever else was opened for them. Idempotent. */
	close(): MaybePromise<void>;
}

/** What can be done to a backend. */
export interface Backend {
	/** Makes the backend unreachable for the node at `index`, and for no other: its connections break, and none can be made. */
	cutOff?(index: number): MaybePromise<void>;
	/** Makes it reachable for that node again. */
	rejoin?(index: number): MaybePromise<void>;
	/** Makes the backend unreachable for every peer, as a network or a crash does. */
	fail?(): MaybePromise<void>;
	/** Makes it reachable again, with its data. */
	heal?(): MaybePromise<void>;
	/** Ends the backend and starts it again, as an operator does. */
	restart?(): MaybePromise<void>;
	/** Makes the backend forget all that is stored, and go on. */
	loseData?(): MaybePromise<void>;
}
