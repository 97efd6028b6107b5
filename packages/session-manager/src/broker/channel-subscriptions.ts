import { isThenable, type MaybePromise } from '../contract/maybe-promise.js';

/** A channel that is being subscribed. */
interface Subscribing {
	users: number;
	readonly ready: Promise<void>;
}

/**
 * Counts who needs each channel of a node, subscribes to a channel for as long as somebody needs it, and knows which
 * are lost meanwhile.
 */
export class ChannelSubscriptions {
	/** How many need each channel. */
	readonly #channels = new Map<string, number | Subscribing>();
	/** Those whose messages may be missed now, unless all are. */
	readonly #lost = new Set<string>();
	#areAllLost = false;
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

	/** Whether the messages of every channel may be missed now. */
	get areAllLost(): boolean {
		return this.#areAllLost;
	}

	/** Returns whether messages of `channel` may be missed now. */
	isLost(channel: string): boolean {
		return this.#areAllLost || this.#lost.has(channel);
	}

	/** Notes that messages of `channels` may be missed from now on; without any named, those of all. */
	lose(channels?: readonly string[]): void {
		if (channels === undefined) this.#areAllLost = true;
		else for (const channel of channels) if (this.#channels.has(channel)) this.#lost.add(channel);
	}

	/** Notes that `channels` are subscribed again; without any named, that all are. */
	regain(channels?: readonly string[]): void {
		if (channels !== undefined) return channels.forEach((channel) => void this.#lost.delete(channel));
		this.#areAllLost = false;
		this.#lost.clear();
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
			() => isWanted() && this.#forget(channel),
		);
		return subscribing.ready;
	}

	/** Removes a user of `channel`, and unsubscribes after the last one. */
	release(channel: string): MaybePromise<void> {
		const known = this.#channels.get(channel);
		if (known === undefined) return;
		const users = (typeof known === 'number' ? known : known.users) - 1;
		if (users === 0) {
			this.#forget(channel);
			return this.#unsubscribe(channel);
		}
		if (typeof known === 'number') this.#channels.set(channel, users);
		else known.users = users;
	}

	#forget(channel: string): void {
		this.#channels.delete(channel);
		this.#lost.delete(channel);
	}
}
