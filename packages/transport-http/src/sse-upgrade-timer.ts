import type { Clock } from '@holdfast/session-manager';

/** A response that becomes a stream when it takes too long. */
export interface SseUpgradeable {
	/** When the response started to wait; set by the timer. */
	startedAt: number;
	/** Makes the response a stream, and removes it from the timer. */
	openStream(): void;
}

/**
 * Turns responses that take too long into streams. All wait for the same time, so one timer and the order of arrival
 * are enough.
 */
export class SseUpgradeTimer {
	readonly #clock: Clock;
	readonly #afterMs: number;
	readonly #waiting = new Set<SseUpgradeable>();
	#stop: (() => void) | undefined;

	constructor(clock: Clock, afterMs: number) {
		this.#clock = clock;
		this.#afterMs = afterMs;
	}

	/** Starts to wait for a response. */
	add(response: SseUpgradeable): void {
		response.startedAt = this.#clock.monotonic();
		this.#waiting.add(response);
		this.#stop ??= this.#clock.after(this.#afterMs, () => this.#expire());
	}

	/** Stops waiting for a response. */
	delete(response: SseUpgradeable): void {
		this.#waiting.delete(response);
	}

	/** Stops the timer and drops every waiting response. */
	close(): void {
		this.#stop?.();
		this.#stop = undefined;
		this.#waiting.clear();
	}

	#expire(): void {
		this.#stop = undefined;
		const now = this.#clock.monotonic();
		for (const response of this.#waiting) {
			const left = response.startedAt + this.#afterMs - now;
			if (left > 0) {
				this.#stop = this.#clock.after(left, () => this.#expire());
				return;
			}
			response.openStream();
		}
	}
}
