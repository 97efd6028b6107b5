import type { Clock } from '@holdfast/session-manager';

/** An answer that becomes a stream when it takes too long. */
export interface SlowAnswer {
	/** When it was begun; set by its deadlines. */
	startedAt: number;
	openStream(): void;
}

/** Turns answers that take too long into streams. All have the same time, so one timer and the order of arrival are enough. */
export class AnswerDeadlines {
	readonly #clock: Clock;
	readonly #afterMs: number;
	readonly #waiting = new Set<SlowAnswer>();
	#stop: (() => void) | undefined;

	constructor(clock: Clock, afterMs: number) {
		this.#clock = clock;
		this.#afterMs = afterMs;
	}

	add(answer: SlowAnswer): void {
		answer.startedAt = this.#clock.now();
		this.#waiting.add(answer);
		this.#stop ??= this.#clock.after(this.#afterMs, () => this.#expire());
	}

	delete(answer: SlowAnswer): void {
		this.#waiting.delete(answer);
	}

	close(): void {
		this.#stop?.();
		this.#stop = undefined;
		this.#waiting.clear();
	}

	#expire(): void {
		this.#stop = undefined;
		const now = this.#clock.now();
		for (const answer of this.#waiting) {
			const left = answer.startedAt + this.#afterMs - now;
			if (left > 0) {
				this.#stop = this.#clock.after(left, () => this.#expire());
				return;
			}
			answer.openStream();
		}
	}
}
