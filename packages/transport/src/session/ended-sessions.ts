import type { Connections } from '../http/connections.js';
import type { NodeContext } from '../node/node-context.js';

/**
 * How long after the end of a session its streams are closed and deleted, even if responses are still on their way, in
 * milliseconds.
 */
const CLOSE_AFTER_MS = 500;

interface Ended {
	readonly id: string;
	readonly deleteStreams: boolean;
	readonly at: number;
}

/**
 * Closes and deletes the streams of ended sessions after a moment, in which they may still carry responses. All share
 * one timer.
 */
export class EndedSessions {
	readonly #context: NodeContext;
	readonly #connections: Connections;
	/** Oldest first. */
	readonly #ended: Ended[] = [];
	#stop: (() => void) | undefined;
	#closed = false;

	constructor(context: NodeContext, connections: Connections) {
		this.#context = context;
		this.#connections = connections;
	}

	/**
	 * Closes the connections of a session after a moment. With `deleteStreams` its streams are then deleted on all nodes.
	 */
	add(id: string, deleteStreams: boolean): void {
		this.#ended.push({ id, deleteStreams, at: this.#context.clock.now() + CLOSE_AFTER_MS });
		this.#schedule();
	}

	/** Stops the timer for good. */
	close(): void {
		this.#closed = true;
		this.#stop?.();
	}

	#schedule(): void {
		const [next] = this.#ended;
		if (next === undefined || this.#closed) return;
		this.#stop ??= this.#context.clock.after(next.at - this.#context.clock.now(), () => {
			this.#stop = undefined;
			const now = this.#context.clock.now();
			const due = this.#ended.findIndex(({ at }) => at > now);
			for (const { id, deleteStreams } of this.#ended.splice(0, due === -1 ? this.#ended.length : due)) {
				this.#connections.closeAll(id);
				if (deleteStreams) this.#context.background(() => this.#context.streams.delete(id));
			}
			this.#schedule();
		});
	}
}
