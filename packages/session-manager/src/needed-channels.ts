import type { MaybePromise } from './maybe-promise.js';

/** The channels that a node hears, each for as long as anybody there needs it. */
export class NeededChannels {
	readonly #channels = new Map<string, { needed: number; ready: MaybePromise<void> }>();
	readonly #subscribe: (channel: string) => MaybePromise<void>;
	readonly #unsubscribe: (channel: string) => MaybePromise<void>;

	constructor(
		subscribe: (channel: string) => MaybePromise<void>,
		unsubscribe: (channel: string) => MaybePromise<void>,
	) {
		this.#subscribe = subscribe;
		this.#unsubscribe = unsubscribe;
	}

	get names(): string[] {
		return [...this.#channels.keys()];
	}

	/** Somebody needs `channel`: resolves once it is heard. */
	need(channel: string): MaybePromise<void> {
		const known = this.#channels.get(channel);
		if (known !== undefined) {
			known.needed++;
			return known.ready;
		}
		const entry = { needed: 1, ready: this.#subscribe(channel) };
		this.#channels.set(channel, entry);
		if (entry.ready instanceof Promise)
			entry.ready.catch(() => this.#channels.get(channel) === entry && this.#channels.delete(channel));
		return entry.ready;
	}

	/** Somebody who needed `channel` does so no more. */
	needNot(channel: string): MaybePromise<void> {
		const known = this.#channels.get(channel);
		if (known === undefined || --known.needed > 0) return;
		this.#channels.delete(channel);
		return this.#unsubscribe(channel);
	}
}
