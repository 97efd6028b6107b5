import type { Connections } from '../http/connections.js';
import type { NodeContext } from '../node/node-context.js';

/** When connections of a session that ended are closed that nobody else has closed, in milliseconds. */
const CLOSE_AFTER_MS = 500;

/**
 * Sessions that ended lately. The node that ended one closes its streams, on all nodes, once all has been said; should that node
 * die first, they are closed here. One timer for all.
 */
export class EndedSessions {
	readonly #context: NodeContext;
	readonly #connections: Connections;
	/** In order of time, which is that of the monotonic clock. */
	readonly #ended: { readonly id: string; readonly closeAt: number }[] = [];
	#stop: (() => void) | undefined;
	#closed = false;

	constructor(context: NodeContext, connections: Connections) {
		this.#context = context;
		this.#connections = connections;
	}

	/** Closes what is open of a session in a moment. */
	add(id: string): void {
		this.#ended.push({ id, closeAt: this.#context.clock.monotonic() + CLOSE_AFTER_MS });
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
			for (const { id } of this.#ended.splice(0, due === -1 ? this.#ended.length : due)) this.#connections.closeAll(id);
			this.#closeLater();
		});
	}
}
