import type { Clock, MaybePromise } from '@holdfast/session-manager';
import { isThenable } from '@holdfast/session-manager/custom';
import type { NodeContext } from '../node/node-context.js';
import type { ClusterBus } from './cluster-bus.js';
import type { ClusterMessage } from './cluster-message.js';

/** How long a node may believe what it cached after a beat of its own that it heard, in milliseconds. */
const LEASE_MS = 3_000;
/** How often a node beats: a lease is renewed at a third of its life. */
const BEAT_MS = LEASE_MS / 3;
/**
 * Beats of our own that we hear within so many milliseconds count as one: so those of {@link LEASE_BEATS} take longer
 * than a lease.
 */
const ECHO_MS = (BEAT_MS * 3) / 4;
/** A node of which nothing was heard during so many beats of our own believes nothing any more. */
const LEASE_BEATS = 4;
/** A node of which nothing was heard during so many beats of our own is hung, or cut off. */
const SILENT_BEATS = 9;
/** How many nodes that are not heard are known at most. Silence of one that was forgotten counts anew. */
const MAX_UNHEARD = 1_000;
/** How long nodes may take to agree to something, in milliseconds. */
const AGREE_MS = 1_000;
/** How often nodes that something depends on are looked for, in milliseconds. */
const CHECK_MS = 2_000;
/**
 * How long, and how often, a node that the store does not know is looked for before it is given up, in milliseconds.
 */
const RECHECK_MS = 2_000;
const RECHECK_EVERY_MS = 250;

/**
 * Knows which nodes are there, and whether this one hears them. Each node says so on the bus every second, and hears
 * itself: as
 * long as it does, it has heard everything that was said before. A node that does not, because it was stopped, is
 * overwhelmed
 * or cut off, must not believe what it cached.
 */
export class NodeMonitor {
	readonly #context: NodeContext;
	readonly #clock: Clock;
	readonly #bus: ClusterBus;
	/** By node that was heard lately, how many beats of our own had been heard when it was last heard. */
	readonly #heard = new Map<string, number>();
	/** The same, by node that is not heard any more; of one that never was, when it was first looked for. */
	readonly #unheard = new Map<string, number>();
	readonly #waiting = new Map<string, Set<() => void>>();
	/** Nodes that the store does not know, and whether they turn out to be gone. */
	readonly #rechecks = new Map<string, Promise<boolean>>();
	/** When beats that are still to be heard were sent, by number. */
	readonly #sentAt = new Map<number, number>();
	#sent = 0;
	/**
	 * How many beats of our own we heard. Those that could not be sent say nothing of another node, and those that come
	 * all at once no more than one.
	 */
	#echoes = 0;
	#echoedAt = Number.NEGATIVE_INFINITY;
	/** What was cached may be believed until then, on the monotonic clock. */
	#believesUntil = Number.NEGATIVE_INFINITY;
	/** Whether the bus delivers within the call that sends, so that no news can be late. */
	#isSynchronous = false;
	#stopCheck: (() => void) | undefined;
	#stopBeat: (() => void) | undefined;

	constructor(context: NodeContext, bus: ClusterBus) {
		this.#context = context;
		this.#clock = context.clock;
		this.#bus = bus;
		bus.on('beat', ({ from, number, isNew }) => this.#hear(from, number, isNew));
		bus.on('bye', ({ from }) => {
			this.#heard.delete(from);
			this.#unheard.delete(from);
		});
	}

	/** Begins to beat. */
	start(): void {
		// Every other node beats in return, so that this one knows them before it has work for them.
		this.#beat(true);
		this.#isSynchronous = this.#echoes > 0;
		if (!this.#isSynchronous) this.#beatLater();
	}

	/** Whether what was cached may be believed: whether all news up to a moment ago has been heard. */
	get isCurrent(): boolean {
		return this.#isSynchronous || this.#clock.monotonic() < this.#believesUntil;
	}

	/**
	 * Tells every other node, and resolves once each has taken the message in, or may no longer believe what it cached.
	 * Never rejects.
	 */
	async confirmAll(message: ClusterMessage): Promise<void> {
		const begun = this.#clock.monotonic();
		if ((await this.#ask(message, () => this.#heardWithin(LEASE_BEATS))) !== undefined) return;
		const left = LEASE_MS - (this.#clock.monotonic() - begun);
		if (!this.#context.closed) await new Promise<void>((resolve) => this.#clock.after(left, resolve));
	}

	/**
	 * Tells every other node. Resolves with the nodes that are there and do not say that they have it; with `undefined`
	 * where it could not be sent. Never rejects.
	 */
	reachAll(message: ClusterMessage): Promise<readonly string[] | undefined> {
		return this.#ask(message, () => this.#heardWithin(SILENT_BEATS));
	}

	/** Tells every other node, and waits for the replies of `whom`; resolves with those that did not reply. */
	async #ask(message: ClusterMessage, whom: () => readonly string[]): Promise<readonly string[] | undefined> {
		try {
			await this.#bus.listen();
			if (this.#isSynchronous) {
				await this.#bus.tellAll(message);
				return [];
			}
			let missing = whom();
			await this.#bus.askAll(message, LEASE_MS, (replied) => {
				missing = whom().filter((nodeId) => !replied.has(nodeId));
				return missing.length === 0;
			});
			return missing;
		} catch (error) {
			this.#context.report(error);
			return undefined;
		}
	}

	/**
	 * Asks every other node, and resolves with whether each replied `true`; with `false` also where one does not reply
	 * within a second. Never rejects.
	 */
	async agreeAll(message: ClusterMessage): Promise<boolean> {
		let agreed = false;
		try {
			await this.#bus.askAll(message, AGREE_MS, (replies) => {
				agreed = this.#heardWithin(SILENT_BEATS).every((nodeId) => replies.get(nodeId) === true);
				return agreed || [...replies.values()].includes(false);
			});
		} catch (error) {
			this.#context.report(error);
			return false;
		}
		return agreed;
	}

	/** The other nodes that were heard during so many beats of our own. */
	#heardWithin(beats: number): string[] {
		return [...this.#heard].flatMap(([nodeId, heard]) => (this.#echoes - heard <= beats ? [nodeId] : []));
	}

	/** Whether node `nodeId` was heard lately. */
	isHeard(nodeId: string): boolean {
		return this.#heard.has(nodeId);
	}

	/** Calls `ongone` once if node `nodeId` is gone, now or later. Returns a function that calls it off. */
	watch(nodeId: string, ongone: () => void): () => void {
		const waiting = this.#waiting.get(nodeId) ?? new Set();
		this.#waiting.set(nodeId, waiting.add(ongone));
		void this.#check(nodeId);
		this.#checkLater();
		return () => {
			waiting.delete(ongone);
			if (waiting.size > 0 || this.#waiting.get(nodeId) !== waiting) return;
			this.#waiting.delete(nodeId);
		};
	}

	/**
	 * Whether node `nodeId` is gone: the store does not know it, or it is silent, as a hung one is. One that lost the
	 * store for a moment is looked for a while before it is given up; of one that was never heard, silence counts from
	 * the first time that this is asked. Rejects where the store is away.
	 */
	isGone(nodeId: string): MaybePromise<boolean> {
		const listening = this.#bus.isListening(nodeId);
		if (!isThenable(listening)) return !listening || this.#isSilent(nodeId);
		return Promise.resolve(listening).then((isListening) =>
			isListening ? this.#isSilent(nodeId) : this.#isGoneForGood(nodeId),
		);
	}

	/** Stops all watches. */
	close(): void {
		this.#stopCheck?.();
		this.#stopBeat?.();
		this.#waiting.clear();
	}

	/**
	 * Only as long as we hear ourselves does the silence of another say something. A hung node stays silent however long
	 * it is, so that whoever asks late is told the same.
	 */
	#isSilent(nodeId: string): boolean {
		if (this.#isSynchronous || this.#heard.has(nodeId)) return false;
		const since = this.#unheard.get(nodeId);
		if (since === undefined) this.#missFrom(nodeId, this.#echoes);
		return since !== undefined && this.#echoes - since > SILENT_BEATS;
	}

	#missFrom(nodeId: string, since: number): void {
		this.#heard.delete(nodeId);
		this.#unheard.set(nodeId, since);
		for (const [oldest] of this.#unheard) {
			if (this.#unheard.size <= MAX_UNHEARD) break;
			this.#unheard.delete(oldest);
		}
	}

	#hear(from: string, number: number, isNew: boolean): void {
		if (from !== this.#context.nodeId) {
			this.#heard.set(from, this.#echoes);
			this.#unheard.delete(from);
			if (isNew) this.#beat(false);
			return;
		}
		const sentAt = this.#sentAt.get(number);
		if (sentAt === undefined) return;
		for (const sent of this.#sentAt.keys()) if (sent <= number) this.#sentAt.delete(sent);
		const now = this.#clock.monotonic();
		if (now - this.#echoedAt >= ECHO_MS) {
			this.#echoes++;
			this.#echoedAt = now;
		}
		this.#believesUntil = sentAt + LEASE_MS;
		for (const [nodeId, heard] of this.#heard) if (this.#echoes - heard > SILENT_BEATS) this.#missFrom(nodeId, heard);
	}

	#beat(isNew: boolean): void {
		const number = ++this.#sent;
		this.#sentAt.set(number, this.#clock.monotonic());
		// Beats that never came back.
		this.#sentAt.delete(number - 2 * SILENT_BEATS);
		try {
			const sending = this.#bus.tellAll({ type: 'beat', number, isNew });
			// A beat that could not be sent is not heard, which says it all; the manager reports why.
			if (isThenable(sending)) sending.then(undefined, () => {});
		} catch {
			// The same.
		}
	}

	#beatLater(): void {
		this.#stopBeat = this.#clock.after(BEAT_MS, () => {
			this.#beatLater();
			this.#beat(false);
		});
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
		const end = this.#clock.monotonic() + RECHECK_MS;
		while (this.#clock.monotonic() < end) {
			await new Promise<void>((resolve) => this.#clock.after(RECHECK_EVERY_MS, resolve));
			if (await this.#bus.isListening(nodeId)) return false;
		}
		this.#unheard.delete(nodeId);
		return true;
	}

	#checkLater(): void {
		this.#stopCheck ??= this.#clock.after(CHECK_MS, () => {
			this.#stopCheck = undefined;
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
