import { systemClock } from '@holdfast/session-manager';
import { Cluster, type Redis, type RedisOptions } from 'ioredis';

/** A subscriber that says nothing for so long is asked whether it is still there, in milliseconds. */
const PING_MS = 2_000;
/** Channels named in one command. */
const CHANNELS_PER_COMMAND = 500;

/** What the owner of a subscription is told. */
export interface SubscriptionEvents {
	message(channel: string, message: string): void;
	/** Messages may be missed from now on. */
	interrupted(): void;
	/** All channels are heard again. */
	restored(): void;
	error(error: Error): void;
}

/**
 * The connection that hears channels (sharded pub/sub), apart from the one for commands. After any interruption every channel
 * is subscribed to again before `restored` is told.
 */
export class RedisSubscription {
	readonly #client: Redis | Cluster;
	readonly #events: SubscriptionEvents;
	readonly #channels: () => string[];
	#interrupted = false;
	#restoring = false;
	#closed = false;
	#stopPing: (() => void) | undefined;

	/** `channels` tells what must be heard. */
	constructor(client: Redis | Cluster, channels: () => string[], events: SubscriptionEvents) {
		this.#events = events;
		this.#channels = channels;
		if (client instanceof Cluster) {
			this.#client = client.duplicate([], { shardedSubscribers: true, lazyConnect: false });
			this.#client.on('-subscriber', () => this.#interrupt());
			this.#client.on('subscribersReady', () => void this.#restore());
			this.#client.on('node error', (error) => this.#events.error(error));
		} else {
			this.#client = client.duplicate<Partial<RedisOptions>>({
				autoResubscribe: false,
				enableOfflineQueue: true,
				lazyConnect: false,
				maxRetriesPerRequest: null,
				retryStrategy: (times: number) => Math.min(times * 50, 500),
			});
			this.#client.on('close', () => this.#interrupt());
			this.#client.on('ready', () => void this.#restore());
			this.#pingLater();
		}
		// Without a listener, a lost connection would end the process.
		this.#client.on('error', (error) => this.#events.error(error));
		this.#client.on('smessage', (channel: string, message: string) => this.#events.message(channel, message));
	}

	async subscribe(channel: string): Promise<void> {
		await this.#client.ssubscribe(channel);
	}

	async unsubscribe(channel: string): Promise<void> {
		if (!this.#closed) await this.#client.sunsubscribe(channel);
	}

	close(): void {
		this.#closed = true;
		this.#stopPing?.();
		this.#client.disconnect();
	}

	#interrupt(): void {
		if (this.#interrupted || this.#closed) return;
		this.#interrupted = true;
		this.#events.interrupted();
	}

	async #restore(): Promise<void> {
		if (!this.#interrupted || this.#restoring || this.#closed) return;
		this.#restoring = true;
		try {
			const channels = this.#channels();
			if (this.#client instanceof Cluster)
				await Promise.all(channels.map((channel) => this.#client.ssubscribe(channel)));
			else {
				for (let index = 0; index < channels.length; index += CHANNELS_PER_COMMAND) {
					await this.#client.ssubscribe(...channels.slice(index, index + CHANNELS_PER_COMMAND));
				}
			}
			this.#interrupted = false;
			this.#events.restored();
		} catch (error) {
			// The connection went again; the next `ready` tries again.
			this.#events.error(error instanceof Error ? error : new Error(String(error)));
		} finally {
			this.#restoring = false;
		}
	}

	/** A connection that hangs is told from one that is idle, and made anew. */
	#pingLater(): void {
		this.#stopPing = systemClock.after(PING_MS, () => {
			const client = this.#client;
			if (client instanceof Cluster || client.status !== 'ready') return this.#pingLater();
			const giveUp = systemClock.after(PING_MS, () => client.disconnect(true));
			client
				.ping()
				.catch(() => undefined)
				.then(() => {
					giveUp();
					if (!this.#closed) this.#pingLater();
				});
		});
	}
}
