import { isThenable, type MaybePromise } from '../contract/maybe-promise.js';
import { toError } from '../contract/to-error.js';

/** Runs what nobody else looks after, or hears of. A throw or a rejection is reported. */
export class Background {
	readonly #onerror: (error: Error) => void;

	constructor(onerror: (error: Error) => void) {
		this.#onerror = onerror;
	}

	/** Runs `work`. What it returns resolves, even if the work fails. */
	run(work: () => MaybePromise<unknown>): MaybePromise<unknown> {
		try {
			const done = work();
			return isThenable(done) ? Promise.resolve(done).catch((error: unknown) => this.report(error)) : done;
		} catch (error) {
			this.report(error);
		}
	}

	/** Reports a failure of work in the background. */
	report(error: unknown): void {
		try {
			this.#onerror(toError(error));
		} catch {
			// Losing the store never ends the process, nor does a handler that fails.
		}
	}
}
