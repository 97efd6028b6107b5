import type { Clock, MaybePromise } from '@holdfast/session-manager';
import { isThenable } from '@holdfast/session-manager/custom';
import type { NodeContext } from '../node/node-context.js';
import type { ClusterBus } from './cluster-bus.js';

/** How often watched nodes are checked, in milliseconds. */
const CHECK_INTERVAL_MS = 5_000;
/**
 * How long, and how often, a node that does not listen is checked again before it counts as gone, in milliseconds: it
 * may have lost the store for a moment only.
 */
const RECHECK_MS = 2_000;
const RECHECK_INTERVAL_MS = 250;

/**
 * Watches other nodes, for parts that wait for something from them. All watchers share one timer, and one check per
 * node.
 */
export class NodeMonitor {
	readonly #clock: Clock;
	readonly #bus: ClusterBus;
	readonly #waiting = new Map<string, Set<() => void>>();
	/** Nodes that are being checked again, and whether they turn out to be gone. */
	readonly #rechecks = new Map<string, Promise<boolean>>();
	#stop: (() => void) | undefined;

	constructor({ clock }: NodeContext, bus: ClusterBus) {
		this.#clock = clock;
		this.#bus = bus;
	}

	/** Calls `ongone` once when node `nodeId` is gone, now or later. Returns a function that stops the watch. */
	watch(nodeId: string, ongone: () => void): () => void {
		const waiting = this.#waiting.get(nodeId) ?? new Set();
		this.#waiting.set(nodeId, waiting.add(ongone));
		void this.#check(nodeId);
		this.#checkLater();
		return () => {
			waiting.delete(ongone);
			if (waiting.size === 0 && this.#waiting.get(nodeId) === waiting) this.#waiting.delete(nodeId);
		};
	}

	/**
	 * Returns whether node `nodeId` is gone. In a shared store, a node that does not listen is checked again for two
	 * seconds before it is given up. Rejects when the store is unavailable.
	 */
	isGone(nodeId: string): MaybePromise<boolean> {
		const listening = this.#bus.isListening(nodeId);
		// A node in the same process cannot lose an in-memory store.
		if (!isThenable(listening)) return !listening;
		return Promise.resolve(listening).then((isListening) => !isListening && this.#isGoneForGood(nodeId));
	}

	/** Stops all watches. */
	close(): void {
		this.#stop?.();
		this.#waiting.clear();
	}

	#isGoneForGood(nodeId: string): Promise<boolean> {
		let recheck = this.#rechecks.get(nodeId);
		if (recheck === undefined) {
			recheck = this.#recheck(nodeId).finally(() => this.#rechecks.delete(nodeId));
			this.#rechecks.set(nodeId, recheck);
		}
		return recheck;
	}

	async #recheck(nodeId: string): Promise<boolean> {
		const end = this.#clock.now() + RECHECK_MS;
		while (this.#clock.now() < end) {
			await new Promise<void>((resolve) => this.#clock.after(RECHECK_INTERVAL_MS, resolve));
			if (await this.#bus.isListening(nodeId)) return false;
		}
		return true;
	}

	#checkLater(): void {
		this.#stop ??= this.#clock.after(CHECK_INTERVAL_MS, () => {
			this.#stop = undefined;
			for (const nodeId of this.#waiting.keys()) void this.#check(nodeId);
			if (this.#waiting.size > 0) this.#checkLater();
		});
	}

	async #check(nodeId: string): Promise<void> {
		let gone: boolean;
		try {
			gone = await this.isGone(nodeId);
		} catch {
			// An unavailable store says nothing about the node, and the next check is soon.
			return;
		}
		if (!gone) return;
		const waiting = this.#waiting.get(nodeId);
		this.#waiting.delete(nodeId);
		for (const ongone of waiting ?? []) ongone();
	}
}
