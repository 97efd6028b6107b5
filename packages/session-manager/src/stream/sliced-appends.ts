import type { MaybePromise } from '../contract/maybe-promise.js';
import { isSessionStream } from '../contract/stream-id.js';

/** How many streams of this process get an event in one turn of the event loop: some milliseconds. */
export const TOLD_AT_ONCE = 1_024;
/** How many streams a broker is told of in one turn, which takes longer. */
const SLICE = 256;
/** How much text one turn passes on: a broker may be given the event once for each stream. */
const SLICE_LENGTH = 2 * 1024 * 1024;
/** How many slices may wait for the broker at once: more than it takes to keep it busy, at any usual distance. */
const SLICES_IN_FLIGHT = 6;
/** The same once one has failed: those that reach a part of the broker that works do not wait long for the others. */
const SLICES_IN_FAILURE = 32;
/** How many calls may wait while the event loop goes on; beyond it, whoever makes more of them waits, too. */
const MAX_BEHIND = 64;

/**
 * Appends an event to many streams a slice at a time. The event loop goes on in between, and what waits for the broker
 * is bounded, but not so narrowly that the broker would have to wait for the next slice: the distance to it counts once
 * and not for each slice. Calls that must come after it wait behind it.
 */
export class SlicedAppends {
	readonly #slice: number;
	#isBusy = false;
	readonly #behind: (() => void)[] = [];

	/** `slice` is how many streams get an event in one turn of the event loop. */
	constructor(slice = SLICE) {
		this.#slice = slice;
	}

	/** Whether some streams are still to be told. */
	get busy(): boolean {
		return this.#isBusy;
	}

	/** Does `work` in its turn, once nothing is still to be told. */
	behind<T>(work: () => MaybePromise<T>): Promise<T> {
		return new Promise((resolve, reject) => {
			this.#behind.push(() => {
				try {
					resolve(work());
				} catch (error) {
					reject(error);
				}
			});
		});
	}

	/** Returns whether `count` streams are better told in slices. What waits for a broker takes `length` for each. */
	isMany(count: number, length = 0): boolean {
		return count > this.#sliceOf(length);
	}

	/**
	 * Appends to all of `streams`, in their order. Rejects with the first error once all have been tried. What waits for
	 * a broker takes `length` for each stream.
	 */
	async append<T>(streams: Iterable<T>, append: (some: readonly T[]) => MaybePromise<void>, length = 0): Promise<void> {
		if (this.#isBusy) return this.behind(() => this.append(streams, append, length));
		this.#isBusy = true;
		const pending = new Set<Promise<void>>();
		const errors: unknown[] = [];
		const slice = async (some: readonly T[]) => append(some);
		for (const some of slices(streams, this.#sliceOf(length))) {
			const done: Promise<void> = slice(some).then(
				() => void pending.delete(done),
				(error: unknown) => {
					pending.delete(done);
					errors.push(error);
				},
			);
			pending.add(done);
			const most = errors.length === 0 ? SLICES_IN_FLIGHT : SLICES_IN_FAILURE;
			if (pending.size >= most) await Promise.race(pending);
			if (this.#behind.length < MAX_BEHIND) await nextTurn();
		}
		this.#isBusy = false;
		// One that has many to tell, too, keeps the others waiting.
		while (!this.#isBusy && this.#behind.length > 0) this.#behind.shift()?.();
		await Promise.all(pending);
		if (errors.length > 0) throw errors[0];
	}

	#sliceOf(length: number): number {
		return Math.max(1, Math.min(this.#slice, Math.floor(SLICE_LENGTH / length)));
	}
}

/** Yields the session streams of `ids`, each once. */
export function* sessionStreams(ids: readonly string[]): Generator<string, void> {
	const seen = new Set<string>();
	for (const id of ids) {
		if (!isSessionStream(id) || seen.has(id)) continue;
		seen.add(id);
		yield id;
	}
}

function* slices<T>(items: Iterable<T>, size: number): Generator<T[], void> {
	let slice: T[] = [];
	for (const item of items) {
		slice.push(item);
		if (slice.length < size) continue;
		yield slice;
		slice = [];
	}
	if (slice.length > 0) yield slice;
}

function nextTurn(): Promise<void> {
	return new Promise((resolve) => setImmediate(resolve));
}
