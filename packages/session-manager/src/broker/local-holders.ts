import type { MaybePromise } from '../contract/maybe-promise.js';
import type { Background } from './background.js';
import type { BrokerHolder } from './broker-holder.js';
import type { BrokerHooks } from './broker-hooks.js';
import { BROADCAST_CHANNEL } from './broker-message.js';
import type { BrokerEvent, BrokerPosition } from './broker-position.js';
import type { ChannelSubscriptions } from './channel-subscriptions.js';

const none: readonly BrokerHolder[] = Object.freeze([]);

/** The holders of this node, with the channels that they need, until they end or leave. */
export class LocalHolders {
	/** By stream id; the old and the new one while a stream is taken over on this node. */
	readonly #holders = new Map<string, readonly BrokerHolder[]>();
	readonly #channels: ChannelSubscriptions;
	readonly #background: Background;
	readonly #detach: BrokerHooks['detach'];

	constructor(channels: ChannelSubscriptions, background: Background, { detach }: Pick<BrokerHooks, 'detach'>) {
		this.#channels = channels;
		this.#background = background;
		this.#detach = detach;
	}

	/** All of them, by stream id. */
	get all(): ReadonlyMap<string, readonly BrokerHolder[]> {
		return this.#holders;
	}

	/** Returns those of one stream. */
	of(id: string): readonly BrokerHolder[] {
		return this.#holders.get(id) ?? none;
	}

	/** Returns whether a holder has neither ended nor left. */
	has(holder: BrokerHolder): boolean {
		return this.of(holder.id).includes(holder);
	}

	add(holder: BrokerHolder): void {
		this.#holders.set(holder.id, [...this.of(holder.id), holder]);
	}

	/**
	 * Returns the holder to which the stream was written before `holder`. It goes on until the store says that the stream
	 * was taken, and as ever where the store does not.
	 */
	formerOf(holder: BrokerHolder): BrokerHolder | undefined {
		const holders = this.of(holder.id);
		return holders.length > 1 ? holders.findLast(({ began }) => began) : undefined;
	}

	/**
	 * Subscribes to `channel` for a holder. The channel is recorded only once it is subscribed, so that it is released
	 * only once.
	 */
	async subscribe(holder: BrokerHolder, channel: string): Promise<void> {
		await this.#channels.acquire(channel);
		if (this.has(holder)) holder.channels = channel === BROADCAST_CHANNEL ? 2 : 1;
		else await this.#channels.release(channel);
	}

	/** Passes an event to a holder; one whose stream is over, or whose client is gone, is removed. */
	offer(holder: BrokerHolder, history: keyof BrokerPosition, event: BrokerEvent): void {
		if (holder.offer(history, event)) return;
		if (holder.over) this.end(holder);
		else this.#background.run(() => this.leave(holder));
	}

	/** The stream belongs to another holder, or to nobody any more. */
	end(holder: BrokerHolder): void {
		holder.writer.end();
		this.#background.run(() => this.drop(holder));
	}

	/** The client is gone; the stream continues. */
	async leave(holder: BrokerHolder): Promise<void> {
		holder.writer.release();
		try {
			// Released before unsubscribing: otherwise an event in between would find no subscriber, or count as delivered.
			if (this.#remove(holder)) await this.release(holder);
		} finally {
			await this.#releaseChannels(holder);
		}
	}

	/** Says to the store that nobody holds the stream of a holder, and where its client is. */
	release({ id, token, position: { own, broadcasts } }: BrokerHolder): MaybePromise<void> {
		if (own !== undefined && broadcasts !== undefined) return this.#detach(id, token, { own, broadcasts });
	}

	/** Removes a holder, of which the store needs to know nothing. */
	async drop(holder: BrokerHolder): Promise<void> {
		this.#remove(holder);
		await this.#releaseChannels(holder);
	}

	/** Closes the streams of all; their clients may come back. */
	async close(): Promise<void> {
		const leaving: Promise<void>[] = [];
		for (const holders of this.#holders.values()) {
			for (const holder of holders) {
				holder.writer.end();
				leaving.push(this.leave(holder));
			}
		}
		await Promise.allSettled(leaving);
	}

	/** Returns `false` when the holder was removed before. */
	#remove(holder: BrokerHolder): boolean {
		const holders = this.of(holder.id);
		if (!holders.includes(holder)) return false;
		const others = holders.filter((other) => other !== holder);
		if (others.length === 0) this.#holders.delete(holder.id);
		else this.#holders.set(holder.id, others);
		return true;
	}

	async #releaseChannels(holder: BrokerHolder): Promise<void> {
		const { id, channels } = holder;
		holder.channels = 0;
		if (channels > 0) await this.#channels.release(id);
		if (channels > 1) await this.#channels.release(BROADCAST_CHANNEL);
	}
}
