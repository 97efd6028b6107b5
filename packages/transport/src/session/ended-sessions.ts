import type { Connections } from '../http/connections.js';
import type { NodeContext } from '../node/node-context.js';

/** When the streams of a session that ended are closed and forgotten, whatever is still on its way to them, in milliseconds. */
const FORGET_AFTER_MS = 500;

interface Ended {
	readonly id: string;
	readonly forgetStreams: boolean;
	readonly at: number;
}

/** Sessions that ended lately: their streams may still carry answers for a moment. One timer for all. */
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

	/** Closes what this node holds of a session in a moment; `forgetStreams`: and forgets its streams, on all nodes. */
	add(id: string, forgetStreams: boolean): void {
		this.#ended.push({ id, forgetStreams, at: this.#context.clock.now() + FORGET_AFTER_MS });
		this.#forgetLater();
	}

	close(): void {
		this.#closed = true;
		this.#stop?.();
	}

	#forgetLater(): void {
		const [next] = this.#ended;
		if (next === undefined || this.#closed) return;
		this.#stop ??= this.#context.clock.after(next.at - this.#context.clock.now(), () => {
			this.#stop = undefined;
			const now = this.#context.clock.now();
			const due = this.#ended.findIndex(({ at }) => at > now);
			for (const { id, forgetStreams } of this.#ended.splice(0, due === -1 ? this.#ended.length : due)) {
				this.#connections.closeAll(id);
				if (forgetStreams) this.#context.background(() => this.#context.streams.delete(id));
			}
			this.#forgetLater();
		});
	}
}
