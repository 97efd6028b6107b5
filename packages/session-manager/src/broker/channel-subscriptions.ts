import { isThenable, type MaybePromise } from '../contract/maybe-promise.js';

/** The channels that a node hears, each for as long as anybody there needs it. */
export class ChannelSubscriptions {
	readonly #channels = new Map<string, { needed: number; ready: Promise<void> | void }>();
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
	acquire(channel: string): MaybePromise<void> {
		const known = this.#channels.get(channel);
		if (known !== undefined) {
			known.needed++;
			return known.ready;
		}
		const subscribing = this.#subscribe(channel);
		const entry = { needed: 1, ready: isThenable(subscribing) ? Promise.resolve(subscribing) : subscribing };
		this.#channels.set(channel, entry);
		entry.ready?.catch(() => this.#channels.get(channel) === entry && this.#channels.delete(channel));
		return entry.ready;
	}

	/** Somebody who needed `channel` does so no more. */
	release(channel: string): MaybePromise<void> {
		const known = this.#channels.get(channel);
		if (known === undefined || --known.needed > 0) return;
		this.#channels.delete(channel);
		return this.#unsubscribe(channel);
	}
}
