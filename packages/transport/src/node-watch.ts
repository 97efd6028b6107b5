import type { Clock, MaybePromise } from '@holdfast/session-manager';

/** How often nodes that something depends on are looked for, in milliseconds. */
const LOOK_MS = 5_000;

/** Tells when another node is gone, to those who wait for something from it. One timer and one look for each node, whoever waits. */
export class NodeWatch {
	readonly #clock: Clock;
	readonly #isThere: (nodeId: string) => MaybePromise<boolean>;
	readonly #waiting = new Map<string, Set<() => void>>();
	#stop: (() => void) | undefined;

	constructor(clock: Clock, isThere: (nodeId: string) => MaybePromise<boolean>) {
		this.#clock = clock;
		this.#isThere = isThere;
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

	close(): void {
		this.#stop?.();
		this.#waiting.clear();
	}

	#lookLater(): void {
		this.#stop ??= this.#clock.after(LOOK_MS, () => {
			this.#stop = undefined;
			for (const nodeId of this.#waiting.keys()) void this.#look(nodeId);
			if (this.#waiting.size > 0) this.#lookLater();
		});
	}

	async #look(nodeId: string): Promise<void> {
		let there: boolean;
		try {
			there = await this.#isThere(nodeId);
		} catch {
			// The store is away: that says nothing about the node, and the next look is soon.
			return;
		}
		if (there) return;
		const waiting = this.#waiting.get(nodeId);
		this.#waiting.delete(nodeId);
		for (const ongone of waiting ?? []) ongone();
	}
}
