import type { Connections } from '../http/connections.js';
import type { NodeContext } from '../node/node-context.js';

/** When the connections of a session that ended are closed, and its streams deleted, in milliseconds. */
const CLOSE_AFTER_MS = 500;

interface Ended {
	readonly id: string;
	readonly deletesStreams: boolean;
	/** On the monotonic clock. */
	readonly closeAt: number;
}

/** Sessions that ended lately: their streams may still carry responses for a moment. One timer for all. */
export class EndedSessions {
	readonly #context: NodeContext;
	readonly #connections: Connections;
	/** In order of time. */
	readonly #ended: Ended[] = [];
	#stop: (() => void) | undefined;
	#closed = false;

	constructor(context: NodeContext, connections: Connections) {
		this.#context = context;
		this.#connections = connections;
	}

	/** Closes what is open of a session in a moment; `deletesStreams`: and deletes its streams, on all nodes. */
	add(id: string, deletesStreams: boolean): void {
		this.#ended.push({ id, deletesStreams, closeAt: this.#context.clock.monotonic() + CLOSE_AFTER_MS });
		this.#closeLater();
	}

	/** Stops the timer for good. */
	close(): void {
		this.#closed = true;
		this.#stop?.();
	}

	#closeLater(): void {
		const [next] = this.#ended;
		if (next === undefined || this.#closed) return;
		const { clock } = this.#context;
		this.#stop ??= clock.after(next.closeAt - clock.monotonic(), () => {
			this.#stop = undefined;
			const now = clock.monotonic();
			const due = this.#ended.findIndex(({ closeAt }) => closeAt > now);
			for (const { id, deletesStreams } of this.#ended.splice(0, due === -1 ? this.#ended.length : due)) {
				this.#connections.closeAll(id);
				if (deletesStreams) this.#context.background(() => this.#context.streams.delete(id));
			}
			this.#closeLater();
		});
	}
}
