import type { Clock } from '../contract/clock.js';
import { systemClock } from '../contract/system-clock.js';
import { toError } from '../contract/to-error.js';

/** Something with pending changes. */
export interface Unwritten {
	/** Writes the pending changes. When it rejects, they stay pending. */
	flush(): Promise<void>;
}

/** Writes pending changes in the background, with one timer for everything, set only while something is pending. */
export class WriteBehind {
	readonly clock: Clock;
	/** The longest time before a change is written, in milliseconds. */
	readonly intervalMs: number;
	readonly #onerror: (error: Error) => void;
	readonly #waiting = new Set<Unwritten>();
	#stop: (() => void) | undefined;
	#closed = false;

	/** `onerror` is called with the error of each failed write; the write is retried. */
	constructor(clock: Clock = systemClock, onerror: (error: Error) => void = () => {}, intervalMs = 1_000) {
		this.clock = clock;
		this.#onerror = onerror;
		this.intervalMs = intervalMs;
	}

	/** Schedules a write. */
	add(unwritten: Unwritten): void {
		this.#waiting.add(unwritten);
		if (this.#closed) return;
		this.#stop ??= this.clock.after(this.intervalMs, () => {
			this.#stop = undefined;
			void this.flush();
		});
	}

	/** Writes all pending changes now; what cannot be written stays pending. */
	async flush(): Promise<void> {
		const writing = [...this.#waiting].map(async (unwritten) => {
			this.#waiting.delete(unwritten);
			try {
				await unwritten.flush();
			} catch (error) {
				this.#onerror(toError(error));
				this.add(unwritten);
			}
		});
		await Promise.all(writing);
	}

	/** Stops writing in the background. */
	close(): void {
		this.#closed = true;
		this.#stop?.();
	}
}
