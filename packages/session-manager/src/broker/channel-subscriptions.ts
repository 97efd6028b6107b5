import { isThenable, type MaybePromise } from '../contract/maybe-promise.js';

/** A channel that is being subscribed. */
interface Subscribing {
	users: number;
	readonly ready: Promise<void>;
}

/** Counts who needs each channel of a node, and subscribes to a channel for as long as somebody needs it. */
export class ChannelSubscriptions {
	/** How many need each channel. */
	readonly #channels = new Map<string, number | Subscribing>();
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
		if (typeof known === 'number') {
			this.#channels.set(channel, known + 1);
			return;
		}
		if (known !== undefined) {
			known.users++;
			return known.ready;
		}
		const subscribed = this.#subscribe(channel);
		if (!isThenable(subscribed)) {
			this.#channels.set(channel, 1);
			return;
		}
		const subscribing: Subscribing = { users: 1, ready: Promise.resolve(subscribed) };
		this.#channels.set(channel, subscribing);
		const isWanted = () => this.#channels.get(channel) === subscribing;
		subscribing.ready.then(
			() => isWanted() && this.#channels.set(channel, subscribing.users),
			() => isWanted() && this.#channels.delete(channel),
		);
		return subscribing.ready;
	}

	/** Removes a user of `channel`, and unsubscribes after the last one. */
	release(channel: string): MaybePromise<void> {
		const known = this.#channels.get(channel);
		if (known === undefined) return;
		const users = (typeof known === 'number' ? known : known.users) - 1;
		if (users === 0) {
			this.#channels.delete(channel);
			return this.#unsubscribe(channel);
		}
		if (typeof known === 'number') this.#channels.set(channel, users);
		else known.users = users;
	}
}
