import type { Clock, MaybePromise } from '@holdfast/session-manager';
import { isThenable } from '@holdfast/session-manager/custom';
import type { NodeContext } from '../node/node-context.js';
import type { ClusterBus } from './cluster-bus.js';

/** How often nodes that something depends on are looked for, in milliseconds. */
const LOOK_MS = 5_000;
/** A node that lost the store for a moment cannot be seen, but is not gone: it is looked for so long, and so often, in milliseconds. */
const DOUBT_MS = 2_000;
const DOUBT_LOOK_MS = 250;

/** Tells when another node is gone, to those who wait for something from it. One timer and one look for each node, whoever waits. */
export class NodeMonitor {
	readonly #clock: Clock;
	readonly #bus: ClusterBus;
	readonly #waiting = new Map<string, Set<() => void>>();
	/** Nodes that cannot be seen, and whether they turn out to be gone. */
	readonly #doubted = new Map<string, Promise<boolean>>();
	#stop: (() => void) | undefined;

	constructor({ clock }: NodeContext, bus: ClusterBus) {
		this.#clock = clock;
		this.#bus = bus;
	}

	/** Calls `ongone` once if node `nodeId` is gone, now or later, and answers a function that calls it off. */
	watch(nodeId: string, ongone: () => void): () => void {
		const waiting = this.#waiting.get(nodeId) ?? new Set();
		this.#waiting.set(nodeId, waiting.add(ongone));
		void this.#look(nodeId);
		this.#lookLater();
		return () => {
			waiting.delete(ongone);
			if (waiting.size === 0 && this.#waiting.get(nodeId) === waiting) this.#waiting.delete(nodeId);
		};
	}

	/**
	 * Whether node `nodeId` is gone. One that cannot be seen in a shared store is looked for a while before it is given up.
	 * Rejects where the store is away.
	 */
	isGone(nodeId: string): MaybePromise<boolean> {
		const there = this.#bus.isThere(nodeId);
		// A node of this process does not lose the store.
		if (!isThenable(there)) return !there;
		return Promise.resolve(there).then((isThere) => !isThere && this.#isGoneForGood(nodeId));
	}

	close(): void {
		this.#stop?.();
		this.#waiting.clear();
	}

	#isGoneForGood(nodeId: string): Promise<boolean> {
		let verdict = this.#doubted.get(nodeId);
		if (verdict === undefined) {
			verdict = this.#doubt(nodeId).finally(() => this.#doubted.delete(nodeId));
			this.#doubted.set(nodeId, verdict);
		}
		return verdict;
	}

	async #doubt(nodeId: string): Promise<boolean> {
		const end = this.#clock.now() + DOUBT_MS;
		while (this.#clock.now() < end) {
			await new Promise<void>((resolve) => this.#clock.after(DOUBT_LOOK_MS, resolve));
			if (await this.#bus.isThere(nodeId)) return false;
		}
		return true;
	}

	#lookLater(): void {
		this.#stop ??= this.#clock.after(LOOK_MS, () => {
			this.#stop = undefined;
			for (const nodeId of this.#waiting.keys()) void this.#look(nodeId);
			if (this.#waiting.size > 0) this.#lookLater();
		});
	}

	async #look(nodeId: string): Promise<void> {
		let gone: boolean;
		try {
			gone = await this.isGone(nodeId);
		} catch {
			// The store is away: that says nothing about the node, and the next look is soon.
			return;
		}
		if (!gone) return;
		const waiting = this.#waiting.get(nodeId);
		this.#waiting.delete(nodeId);
		for (const ongone of waiting ?? []) ongone();
	}
}
