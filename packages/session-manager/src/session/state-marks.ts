import { SessionManagerError } from '../contract/session-manager-error.js';
import type { StateValue } from './state-value.js';
import type { StateValues } from './state-values.js';
import type { WriteBehind } from './write-behind.js';

/** Options of {@link StateMarks}. */
export interface StateMarksOptions {
	/** Marks that are remembered (default 1,000); past it, the oldest are forgotten. */
	readonly maxMarks?: number;
}

/**
 * Marks that a session remembers, such as "this was already sent": kept in memory, written to the session's state in the
 * background, when the node closes, and when the session is suspended or its server freed. So a check costs no round trip, and
 * after a restart in good order no mark is missing; after a node was killed, those of the last second (`WriteBehind`) may be.
 * Marks of several nodes are united; a node sees those of another within two seconds.
 */
export class StateMarks {
	readonly #state: StateValues;
	readonly #key: string;
	readonly #writeBehind: WriteBehind;
	readonly #maxMarks: number;
	/** In the order in which they were made. */
	#marks: Set<string> | undefined;
	/** When {@link #marks} were the store's. */
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

	/** Makes a mark; `false` when it was there already. */
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

	/** Whether there is such a mark. */
	async has(mark: string): Promise<boolean> {
		return (this.#known() ?? (await this.#load())).has(mark);
	}

	/** Writes what was not written yet. */
	async flush(): Promise<void> {
		// One at a time, so that whoever waits for a flush waits for all that was marked before.
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
				const united = new Set([...marksIn(value), ...fresh]);
				forgetOldest(united, this.#maxMarks);
				return [...united];
			});
			this.#unwritten = new Set();
			this.#take(stored);
		} catch (error) {
			// A session that has ended has nothing to remember.
			if (error instanceof SessionManagerError && error.code === 'no-such-session') return;
			this.#fresh = new Set([...fresh, ...this.#fresh]);
			throw error;
		} finally {
			this.#unwritten = new Set();
		}
	}

	/** What is in memory, unless the store's may be newer. */
	#known(): Set<string> | undefined {
		const { clock, intervalMs } = this.#writeBehind;
		return clock.now() - this.#loadedAt < intervalMs ? this.#marks : undefined;
	}

	#take(stored: readonly string[]): Set<string> {
		this.#loadedAt = this.#writeBehind.clock.now();
		this.#marks = new Set([...stored, ...this.#unwritten, ...this.#fresh]);
		forgetOldest(this.#marks, this.#maxMarks);
		return this.#marks;
	}

	/** Those who ask at the same time share one answer of the store. */
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
	throw new SessionManagerError('invalid-value', 'The state key of marks holds something else.');
}

function forgetOldest(marks: Set<string>, most: number): void {
	for (const oldest of marks) {
		if (marks.size <= most) return;
		marks.delete(oldest);
	}
}
