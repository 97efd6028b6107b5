import { SessionManagerError } from '../contract/session-manager-error.js';
import type { StateValue } from './state-value.js';
import type { StateValues } from './state-values.js';
import type { WriteBehind } from './write-behind.js';

/** Options of {@link StateMarks}. */
export interface StateMarksOptions {
	/**
	 * How many marks are kept; beyond that, the oldest are evicted.
	 *
	 * @default 1,000
	 */
	readonly maxMarks?: number;
}

/**
 * Marks that a session remembers, such as "this notice was sent". They are kept in memory and written to the session's
 * state in the background, when the node closes, and when the session is suspended or its server evicted. A check
 * therefore costs no round trip. A graceful shutdown loses no mark; a killed node may lose those of its last second
 * (`WriteBehind`). Marks of several nodes are merged, and a node sees the marks of another within two seconds.
 *
 * @example
 * ```ts source="../../test/examples/state-marks.examples.ts#add"
 * const warned = state.marks('warned', { maxMarks: 100 });
 * if (await warned.add('quota')) warn('Your quota is almost used up.'); // once for each session
 * await warned.flush(); // only where the mark must survive a killed node
 * ```
 */
export class StateMarks {
	readonly #state: StateValues;
	readonly #key: string;
	readonly #writeBehind: WriteBehind;
	readonly #maxMarks: number;
	/** In the order in which they were added. */
	#marks: Set<string> | undefined;
	/** When {@link #marks} were last read from the store, on the monotonic clock. */
	#loadedAt = 0;
	#loading: Promise<Set<string>> | undefined;
	/** Not written yet. */
	#fresh = new Set<string>();
	/** Being written. */
	#unwritten: ReadonlySet<string> = new Set();
	#writing: Promise<void> | undefined;

	constructor(state: StateValues, key: string, writeBehind: WriteBehind, { maxMarks = 1_000 }: StateMarksOptions = {}) {
		this.#state = state;
		this.#key = key;
		this.#writeBehind = writeBehind;
		this.#maxMarks = maxMarks;
	}

	/**
	 * Adds a mark. Returns `false` when it already exists.
	 */
	async add(mark: string): Promise<boolean> {
		const marks = this.#known() ?? (await this.#load());
		if (marks.has(mark)) return false;
		marks.add(mark);
		this.#fresh.add(mark);
		forgetOldest(marks, this.#maxMarks);
		forgetOldest(this.#fresh, this.#maxMarks);
		this.#writeBehind.add(this);
		return true;
	}

	/** Returns whether the mark exists. */
	async has(mark: string): Promise<boolean> {
		return (this.#known() ?? (await this.#load())).has(mark);
	}

	/** Writes all marks that are not stored yet. */
	async flush(): Promise<void> {
		// One write at a time, so that a flush also waits for marks that an earlier flush is writing.
		while (this.#writing !== undefined) await this.#writing;
		if (this.#fresh.size === 0) return;
		this.#writing = this.#write().finally(() => {
			this.#writing = undefined;
		});
		return this.#writing;
	}

	async #write(): Promise<void> {
		const fresh = this.#fresh;
		this.#unwritten = fresh;
		this.#fresh = new Set();
		try {
			const stored = await this.#state.update(this.#key, (value) => {
				const merged = new Set([...marksIn(value), ...fresh]);
				forgetOldest(merged, this.#maxMarks);
				return [...merged];
			});
			this.#unwritten = new Set();
			this.#take(stored);
		} catch (error) {
			// An ended session keeps no marks.
			if (error instanceof SessionManagerError && error.code === 'no-such-session') return;
			this.#fresh = new Set([...fresh, ...this.#fresh]);
			throw error;
		} finally {
			this.#unwritten = new Set();
		}
	}

	/** Returns the marks in memory, unless those in the store may be newer. */
	#known(): Set<string> | undefined {
		const { clock, intervalMs } = this.#writeBehind;
		return clock.monotonic() - this.#loadedAt < intervalMs ? this.#marks : undefined;
	}

	#take(stored: readonly string[]): Set<string> {
		this.#loadedAt = this.#writeBehind.clock.monotonic();
		this.#marks = new Set([...stored, ...this.#unwritten, ...this.#fresh]);
		forgetOldest(this.#marks, this.#maxMarks);
		return this.#marks;
	}

	/** Reads the marks; concurrent callers share one round trip. */
	#load(): Promise<Set<string>> {
		this.#loading ??= (async () => {
			try {
				return this.#take(marksIn(await this.#state.get(this.#key)));
			} finally {
				this.#loading = undefined;
			}
		})();
		return this.#loading;
	}
}

function marksIn(value: StateValue | undefined): string[] {
	if (value === undefined) return [];
	if (Array.isArray(value) && value.every((mark) => typeof mark === 'string')) return value;
	throw new SessionManagerError(
		'invalid-value',
		'The state key of these marks holds another value; use a key that nothing else writes.',
	);
}

function forgetOldest(marks: Set<string>, most: number): void {
	for (const oldest of marks) {
		if (marks.size <= most) return;
		marks.delete(oldest);
	}
}
