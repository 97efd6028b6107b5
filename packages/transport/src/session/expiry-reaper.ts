import { InfoSessionManager } from '@holdfast/session-manager';
import type { NodeContext } from '../node/node-context.js';

/** How often expired sessions are removed, in milliseconds. */
const INTERVAL_MS = 60_000;
/** How long a node that does not renew the lease keeps the others from taking it, in milliseconds. */
const LEASE_MS = 3 * INTERVAL_MS;
const LEASE = 'clean-up';
/** How many expired sessions one step removes. */
const BATCH_SIZE = 1_000;

/**
 * Removes expired sessions from an info manager that does not do so by itself: every minute, on the one node that holds
 * the lease. A node that closes gives the lease up; one that dies loses it within three minutes.
 */
export class ExpiryReaper {
	readonly #context: NodeContext;
	#stop: (() => void) | undefined;
	#running: Promise<void> | undefined;
	#closed = false;

	constructor(context: NodeContext) {
		this.#context = context;
	}

	/** Stops, and gives the lease up so that another node can take it. Idempotent. */
	async close(): Promise<void> {
		if (this.#closed) return;
		this.#closed = true;
		const { info, nodeId } = this.#context;
		this.#stop?.();
		await this.#running;
		// A reaper that never ran holds no lease.
		if (this.#running === undefined) return;
		try {
			await info.releaseLease(LEASE, nodeId);
		} catch (error) {
			this.#context.report(error);
		}
	}

	/** Begins, if the engine needs it. */
	start(): void {
		const needsNoHelp = this.#context.info.removeExpired === InfoSessionManager.prototype.removeExpired;
		if (this.#closed || needsNoHelp) return;
		this.#stop ??= this.#context.clock.after(INTERVAL_MS, () => {
			this.#running = this.#run().finally(() => {
				this.#stop = undefined;
				this.start();
			});
		});
	}

	async #run(): Promise<void> {
		try {
			const { info, nodeId } = this.#context;
			if (!(await info.acquireLease(LEASE, nodeId, LEASE_MS))) return;
			// Two nodes may run at once where one was frozen past its lease; that does no harm.
			while (!this.#closed && (await info.removeExpired(BATCH_SIZE)) >= BATCH_SIZE);
		} catch (error) {
			this.#context.report(error);
		}
	}
}
