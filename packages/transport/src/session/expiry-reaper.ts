import { InfoSessionManager } from '@holdfast/session-manager';
import type { NodeContext } from '../node/node-context.js';

/** How often what expired is looked for, in milliseconds. */
const INTERVAL_MS = 60_000;
/** How long a node that is silent keeps the others from cleaning up. */
const LEASE_MS = 3 * INTERVAL_MS;
/** The blank keeps clients from naming it: it is a record like that of a session, so that any engine can keep it. */
const LEASE_ID = ' clean-up';
/** Sessions that are freed in one step. */
const PAGE = 1_000;

/**
 * Frees what expired sessions leave behind in an engine that does not do so by itself: every minute, on the one node that holds
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

	/** Ends it, and lets another node do it. */
	async close(): Promise<void> {
		if (this.#closed) return;
		this.#closed = true;
		const { info } = this.#context;
		this.#stop?.();
		await this.#running;
		// Who was never due holds nothing.
		if (this.#running === undefined) return;
		try {
			if (await this.#isHolder()) await info.delete(LEASE_ID);
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
			if (!(await this.#hold())) return;
			// Two nodes that clean up at the same time, because one was frozen, do no harm.
			while (!this.#closed && (await this.#context.info.removeExpired(PAGE)) >= PAGE);
		} catch (error) {
			this.#context.report(error);
		}
	}

	/** Takes or renews the lease; `false` where another node has it. */
	async #hold(): Promise<boolean> {
		const { info, clock, nodeId } = this.#context;
		const now = clock.now();
		if (await this.#isHolder()) return info.touch(LEASE_ID, now);
		return info.create({
			id: LEASE_ID,
			protocolVersion: '',
			initializeParams: { nodeId },
			serverCapabilities: {},
			createdAt: now,
			lastUsedAt: now,
			idleTtlMs: LEASE_MS,
		});
	}

	async #isHolder(): Promise<boolean> {
		const lease = await this.#context.info.read(LEASE_ID);
		return lease?.initializeParams['nodeId'] === this.#context.nodeId;
	}
}
