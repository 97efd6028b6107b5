import { type Clock, systemClock } from '../contract/clock.js';
import { toError } from '../contract/to-error.js';

/** Something that waits to be written. */
export interface Unwritten {
	/** Writes all that waits. Rejects when it could not; it waits on then. */
	flush(): Promise<void>;
}

/** Writes in the background what may wait: one timer for everything, set only while something waits. */
export class WriteBehind {
	readonly clock: Clock;
	/** What is written in the background is written within so many milliseconds. */
	readonly intervalMs: number;
	readonly #onerror: (error: Error) => void;
	readonly #waiting = new Set<Unwritten>();
	#stop: (() => void) | undefined;
	#closed = false;

	/** `onerror` hears of what could not be written; it is tried again. */
	constructor(clock: Clock = systemClock, onerror: (error: Error) => void = () => {}, intervalMs = 1_000) {
		this.clock = clock;
		this.#onerror = onerror;
		this.intervalMs = intervalMs;
	}

	/** Something has to be written soon. */
	add(unwritten: Unwritten): void {
		this.#waiting.add(unwritten);
		if (this.#closed) return;
		this.#stop ??= this.clock.after(this.intervalMs, () => {
			this.#stop = undefined;
			void this.flush();
		});
	}

	/** Writes everything now; what cannot be written waits on. */
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

	/** Writes nothing more in the background. */
	close(): void {
		this.#closed = true;
		this.#stop?.();
	}
}
