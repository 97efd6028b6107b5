import type { Clock } from '@holdfast/session-manager';
import type { Connection } from './connection.js';
import { keepAliveComment } from './sse-frame.js';

/** Writes a comment to every open connection now and then: one timer for all, set only while there are any. */
export class KeepAlive {
	readonly #clock: Clock;
	readonly #intervalMs: number;
	readonly #connections = new Set<Connection>();
	#stop: (() => void) | undefined;

	/** `intervalMs` of 0 writes nothing. */
	constructor(clock: Clock, intervalMs: number) {
		this.#clock = clock;
		this.#intervalMs = intervalMs;
	}

	get size(): number {
		return this.#connections.size;
	}

	add(connection: Connection): void {
		this.#connections.add(connection);
		if (this.#intervalMs > 0) this.#stop ??= this.#clock.after(this.#intervalMs, () => this.#beat());
	}

	remove(connection: Connection): void {
		this.#connections.delete(connection);
		if (this.#connections.size > 0) return;
		this.#stop?.();
		this.#stop = undefined;
	}

	#beat(): void {
		this.#stop = this.#clock.after(this.#intervalMs, () => this.#beat());
		for (const connection of this.#connections) {
			// A client that is behind has bytes on their way already.
			if ((connection.desiredSize ?? 0) > 0) connection.write(keepAliveComment);
		}
	}
}
