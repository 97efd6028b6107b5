import type { Clock, InfoSessionManager, NodeRecord } from '@holdfast/session-manager';
import { toError } from '@holdfast/session-manager/internal';
import type { Activity } from '../activity.js';

/** The counts of all nodes together that the first page draws. */
export const drawnCounts = ['sessions', 'connections', 'requestsInFlight', 'requestsWaiting'] as const;
export type DrawnCount = (typeof drawnCounts)[number];

/** A node that is no longer announced. */
export interface GoneNode {
	/** Its last announcement. */
	readonly record: NodeRecord;
	/** When it was missed, in milliseconds since the Unix epoch. */
	readonly at: number;
}

/** The state of the deployment a moment ago. */
export interface Beat {
	/** What is announced, the oldest node first; what was known before where the store is away. */
	readonly nodes: readonly NodeRecord[];
	/** The nodes that went lately, the last one first. */
	readonly gone: readonly GoneNode[];
	/** How long the store took, in milliseconds. */
	readonly storeMs: number;
	/** Why the store did not answer. */
	readonly storeError?: string | undefined;
	/** How the sums went, the newest last. */
	readonly history: readonly Readonly<Record<DrawnCount, number>>[];
}

/** What the pulse needs of a transport. */
export interface NodeSource {
	nodes(): Promise<NodeRecord[]>;
}

/** The oldest beat that a page shows, in milliseconds. */
const FRESH_MS = 1_000;
/** How often the deployment is looked at while somebody watches, in milliseconds. */
const BEAT_MS = 3_000;
/** How long after the last page that goes on, in milliseconds. */
const WATCHED_MS = 120_000;
/** How many beats are drawn: ten minutes. */
const KEPT_BEATS = 200;
/** How long a node that went is shown, in milliseconds. */
const GONE_MS = 600_000;
const KEPT_GONE = 50;

/**
 * Looks at nodes and store: for whoever asks, at most once a second, and every three seconds for as long as pages are
 * looked at. Each look reads the store twice.
 */
export class Pulse {
	/** Called when a node came, went or changed its state, or the store did. */
	onchange: () => void = () => {};
	readonly #source: NodeSource;
	readonly #info: InfoSessionManager;
	readonly #activity: Activity | undefined;
	readonly #clock: Clock;
	readonly #history: Record<DrawnCount, number>[] = [];
	readonly #gone = new Map<string, GoneNode>();
	#beat: Beat | undefined;
	#beating: Promise<Beat> | undefined;
	/** On the monotonic clock. */
	#beatAt = Number.NEGATIVE_INFINITY;
	#watchedUntil = Number.NEGATIVE_INFINITY;
	#stop: (() => void) | undefined;

	constructor(source: NodeSource, info: InfoSessionManager, activity: Activity | undefined, clock: Clock) {
		this.#source = source;
		this.#info = info;
		this.#activity = activity;
		this.#clock = clock;
	}

	/** Resolves with the state of a moment ago. Never rejects. */
	look(): Promise<Beat> {
		this.watch();
		if (this.#beat !== undefined && this.#clock.monotonic() - this.#beatAt < FRESH_MS)
			return Promise.resolve(this.#beat);
		return this.#look();
	}

	/** Somebody watches: goes on looking for a while. */
	watch(): void {
		this.#watchedUntil = this.#clock.monotonic() + WATCHED_MS;
		this.#stop ??= this.#clock.after(BEAT_MS, () => this.#next());
	}

	close(): void {
		this.#watchedUntil = Number.NEGATIVE_INFINITY;
		this.#stop?.();
		this.#stop = undefined;
	}

	#next(): void {
		this.#stop = undefined;
		if (this.#clock.monotonic() >= this.#watchedUntil) return;
		void this.#look().then(() => {
			if (this.#clock.monotonic() < this.#watchedUntil) this.#stop ??= this.#clock.after(BEAT_MS, () => this.#next());
		});
	}

	#look(): Promise<Beat> {
		this.#beating ??= this.#read().finally(() => {
			this.#beating = undefined;
		});
		return this.#beating;
	}

	async #read(): Promise<Beat> {
		const before = this.#beat;
		const begun = this.#clock.monotonic();
		let nodes = before?.nodes ?? [];
		let storeError: string | undefined;
		try {
			// A manager that keeps no nodes asks its store for nothing.
			[nodes] = await Promise.all([this.#source.nodes(), this.#probe()]);
			this.#compare(before?.nodes ?? [], nodes);
		} catch (error) {
			storeError = toError(error).message;
		}
		this.#beatAt = this.#clock.monotonic();
		this.#history.push(sumsOf(nodes));
		if (this.#history.length > KEPT_BEATS) this.#history.shift();
		const gone = this.#goneLately();
		this.#beat = {
			nodes,
			gone,
			storeMs: this.#beatAt - begun,
			...(storeError !== undefined && { storeError }),
			history: [...this.#history],
		};
		if (before !== undefined && signOf(before) !== signOf(this.#beat)) this.onchange();
		return this.#beat;
	}

	/** Rejects where the store does not answer, also where its manager throws at once. */
	async #probe(): Promise<void> {
		await this.#info.read('console');
	}

	#compare(before: readonly NodeRecord[], now: readonly NodeRecord[]): void {
		const ids = new Set(now.map(({ id }) => id));
		for (const record of before) {
			if (ids.has(record.id)) continue;
			this.#gone.set(record.id, { record, at: this.#clock.now() });
			const how = record.state === 'draining' ? 'left' : 'gone without a word';
			this.#activity?.noteNode(record.id, how);
		}
		// A node that hung may come back.
		for (const id of ids) this.#gone.delete(id);
	}

	#goneLately(): GoneNode[] {
		const since = this.#clock.now() - GONE_MS;
		const all = [...this.#gone.values()].reverse();
		for (const [index, { record, at }] of all.entries())
			if (at < since || index >= KEPT_GONE) this.#gone.delete(record.id);
		return [...this.#gone.values()].reverse();
	}
}

/** Returns the counts of all nodes together. */
export function sumsOf(nodes: readonly NodeRecord[]): Record<DrawnCount, number> {
	const sum = (name: DrawnCount) => nodes.reduce((total, { counts }) => total + (counts[name] ?? 0), 0);
	return {
		sessions: sum('sessions'),
		connections: sum('connections'),
		requestsInFlight: sum('requestsInFlight'),
		requestsWaiting: sum('requestsWaiting'),
	};
}

/** Returns what must differ for pages to be read again. */
function signOf({ nodes, gone, storeError }: Beat): string {
	return JSON.stringify([nodes.map(({ id, state, counts }) => [id, state, counts]), gone.length, storeError]);
}
