import { isThenable, type MaybePromise } from '../contract/maybe-promise.js';

/** A channel that somebody needs. */
interface Subscribed {
	users: number;
	/** Resolves once it is subscribed; `undefined` from then on. */
	ready: Promise<void> | undefined;
}

/** Counts who needs each channel of a node, and subscribes to a channel for as long as somebody needs it. */
export class ChannelSubscriptions {
	readonly #channels = new Map<string, Subscribed>();
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

	/** Adds a user of `channel`. Resolves once the channel is subscribed. */
	acquire(channel: string): MaybePromise<void> {
		const known = this.#channels.get(channel);
		if (known !== undefined) {
			known.users++;
			return known.ready;
		}
		const subscribing = this.#subscribe(channel);
		const entry: Subscribed = { users: 1, ready: undefined };
		this.#channels.set(channel, entry);
		if (!isThenable(subscribing)) return;
		const ready = Promise.resolve(subscribing);
		entry.ready = ready;
		ready.then(
			() => {
				entry.ready = undefined;
			},
			() => this.#channels.get(channel) === entry && this.#channels.delete(channel),
		);
		return ready;
	}

	/** Removes a user of `channel`, and unsubscribes after the last one. */
	release(channel: string): MaybePromise<void> {
		const known = this.#channels.get(channel);
		if (known === undefined || --known.users > 0) return;
		this.#channels.delete(channel);
		return this.#unsubscribe(channel);
	}
}
