import { InfoSessionManager, type NodeRecord } from '@holdfast/session-manager';
import { toError } from '@holdfast/session-manager/internal';
import type { NodeContext } from '../node/node-context.js';
import { VERSION } from '../node/version.js';
import { within } from '../node/within.js';

/** Options for what a node says of itself to operators. */
export interface NodeRegistryOptions {
	/**
	 * What the list of nodes says of this one: the version of your program, and an address where operators find it. Every
	 * node that shares the store can read it.
	 * @default the version of Holdfast, and no address
	 */
	readonly node?: { readonly version?: string | undefined; readonly address?: string | undefined };
}

/** How often a node announces itself, in milliseconds. */
const ANNOUNCE_MS = 4_000;
/** How long an announcement counts, in milliseconds: a node that hangs or was killed is gone after that. */
const LIFE_MS = 3 * ANNOUNCE_MS;
/** How long a node that closes waits for the store, in milliseconds. */
const WITHDRAW_MS = 1_000;

/**
 * Announces this node in the store from the time it listens to the others until it closes, and lists the nodes that
 * are announced. A node that hangs cannot announce itself, so it disappears as one that died does.
 */
export class NodeRegistry {
	/** Returns what the node holds, as counts. */
	counts: () => NodeRecord['counts'] = () => ({});
	readonly #context: NodeContext;
	readonly #version: string;
	readonly #address: string | undefined;
	readonly #startedAt: number;
	/** Whether the manager keeps nodes at all. */
	readonly #isKept: boolean;
	#state: NodeRecord['state'] = 'ready';
	#stop: (() => void) | undefined;
	/** Announcements go one after another, so that the last one counts. */
	#announcing: Promise<void> | undefined;
	/** Why the store did not take the last announcement. */
	#failedFor: string | undefined;
	#closed = false;

	constructor(context: NodeContext, { node }: NodeRegistryOptions) {
		this.#context = context;
		this.#version = node?.version ?? VERSION;
		this.#address = node?.address;
		this.#startedAt = context.clock.now();
		this.#isKept = context.info.announceNode !== InfoSessionManager.prototype.announceNode;
	}

	/** Begins to announce this node. */
	start(): void {
		if (this.#announcing === undefined) this.#announce();
	}

	/** The node is about to leave, and says so at once. */
	leave(): void {
		this.#state = 'draining';
		if (this.#announcing !== undefined) this.#announce();
	}

	/** Returns the nodes, this one included, in the order of their starts. Rejects where the store is unavailable. */
	async list(): Promise<NodeRecord[]> {
		const { info, nodeId } = this.#context;
		const others = (await info.nodes()).filter(({ id }) => id !== nodeId);
		const all = this.#closed ? others : [...others, this.#record()];
		return all.sort((one, other) => one.startedAt - other.startedAt);
	}

	/** Stops, and withdraws what was announced, if the store takes that within a second. Never rejects. Idempotent. */
	async close(): Promise<void> {
		if (this.#closed) return;
		this.#closed = true;
		this.#stop?.();
		if (this.#announcing === undefined) return;
		const withdrawn = this.#announcing.then(() => this.#tell(0));
		await within(this.#context.clock, WITHDRAW_MS, withdrawn);
	}

	#announce(): void {
		if (this.#closed || !this.#isKept) return;
		this.#announcing = this.#announceAfter(this.#announcing);
	}

	async #announceAfter(before: Promise<void> | undefined): Promise<void> {
		await before;
		if (this.#closed) return;
		await this.#tell(LIFE_MS);
		if (this.#closed) return;
		this.#stop?.();
		this.#stop = this.#context.clock.after(ANNOUNCE_MS, () => this.#announce());
	}

	async #tell(ttlMs: number): Promise<void> {
		try {
			await this.#context.info.announceNode(this.#record(), ttlMs);
			this.#failedFor = undefined;
		} catch (error) {
			// The same reason is told once.
			const { message } = toError(error);
			if (message !== this.#failedFor) this.#context.report(error);
			this.#failedFor = message;
		}
	}

	#record(): NodeRecord {
		return {
			id: this.#context.nodeId,
			version: this.#version,
			...(this.#address !== undefined && { address: this.#address }),
			startedAt: this.#startedAt,
			state: this.#state,
			counts: { ...this.counts() },
		};
	}
}
