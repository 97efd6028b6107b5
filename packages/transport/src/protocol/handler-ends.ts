import type { RequestId } from './json-rpc.js';

const known = new WeakMap<object, HandlerEnds>();

/** Tells when handlers of an SDK server end: the SDK then removes what aborts them from a map, and tells nobody. */
export class HandlerEnds {
	readonly #listeners = new Map<RequestId, () => void>();

	private constructor(handlers: Map<RequestId, unknown>) {
		handlers.delete = (id) => {
			const wasThere = Map.prototype.delete.call(handlers, id);
			const listener = this.#listeners.get(id);
			if (wasThere && listener !== undefined) {
				this.#listeners.delete(id);
				listener();
			}
			return wasThere;
		};
	}

	/** Returns what tells of the handlers in such a map. */
	static of(handlers: Map<RequestId, unknown>): HandlerEnds {
		const ends = known.get(handlers) ?? new HandlerEnds(handlers);
		known.set(handlers, ends);
		return ends;
	}

	/** Calls `listener` once the handler of request `id`, which runs, has ended. `false`: another is called then. */
	listen(id: RequestId, listener: () => void): boolean {
		if (this.#listeners.has(id)) return false;
		this.#listeners.set(id, listener);
		return true;
	}
}
