import { systemClock } from '@holdfast/session-manager/custom';
import type { Cluster, Redis } from 'ioredis';
import { isCluster, ownSubscriber } from './client.js';
import { slotOf } from './slot.js';

/** A server is asked so often whether it is still there, in milliseconds. */
const PING_MS = 2_000;
/** How long to wait before trying again what a server refused, or asking a cluster again who serves what, in milliseconds. */
const RETRY_MS = 250;
/** Channels named in one command. */
const CHANNELS_PER_COMMAND = 500;

/** What the owner of a subscription is told. */
export interface SubscriptionEvents {
	message(channel: string, message: string): void;
	/** Messages may be missed from now on. */
	interrupted(): void;
	/** All channels that were heard are heard again. */
	restored(): void;
	error(error: Error): void;
}

/** A connection to one server, and the channels that are heard there. */
interface Link {
	readonly client: Redis;
	readonly channels: Set<Channel>;
}

interface Channel {
	readonly name: string;
	readonly slot: number;
	/** Where it is, or is to be, heard. */
	link: Link | undefined;
	/** The link that was asked to let it be heard, until that answers or is lost. */
	asked: Link | undefined;
	heard: boolean;
	/** Resolves once it is heard for the first time. */
	readonly ready: Promise<void>;
	readonly resolve: () => void;
}

/**
 * The connections that hear channels, apart from the one for commands: one, or one to each master of a cluster that serves a
 * channel. What was heard before an interruption is heard again before `restored` is told. A server that hangs is left within
 * twice {@link PING_MS}.
 *
 * It does for a cluster what ioredis 6 has `shardedSubscribers` for, which tells neither that a channel was lost before others
 * go on nor that it is heard again, and does not see a server that hangs.
 */
export class RedisSubscription {
	readonly #commands: Redis | Cluster;
	readonly #events: SubscriptionEvents;
	readonly #channels = new Map<string, Channel>();
	/** By node as the cluster names it; the one of a standalone server is `''`. */
	readonly #links = new Map<string, Link>();
	/** What was heard and is not now. */
	readonly #lost = new Set<Channel>();
	readonly #onrefresh = () => this.#reconcile();
	#interrupted = false;
	#stopPing: (() => void) | undefined;
	#stopRetry: (() => void) | undefined;
	#closed = false;

	/** `commands` is our client for commands: it tells where the servers are, and in a cluster who serves what. */
	constructor(commands: Redis | Cluster, events: SubscriptionEvents) {
		this.#commands = commands;
		this.#events = events;
		if (isCluster(commands)) commands.on('refresh', this.#onrefresh);
	}

	/** Resolves once the channel is heard; it is until {@link unsubscribe}, however long that takes and whatever happens. */
	subscribe(name: string): Promise<void> {
		const known = this.#channels.get(name);
		if (known !== undefined) return known.ready;
		let resolve = () => {};
		const ready = new Promise<void>((done) => {
			resolve = done;
		});
		const slot = isCluster(this.#commands) ? slotOf(name) : 0;
		const channel: Channel = { name, slot, link: undefined, asked: undefined, heard: false, ready, resolve };
		this.#channels.set(name, channel);
		this.#place(channel);
		if (channel.link === undefined) this.#retryLater();
		else this.#ask(channel.link, [channel]);
		return ready;
	}

	/** The channel is not heard any more. */
	async unsubscribe(name: string): Promise<void> {
		const channel = this.#channels.get(name);
		if (channel === undefined) return;
		this.#channels.delete(name);
		const { link } = channel;
		link?.channels.delete(channel);
		if (this.#lost.delete(channel)) this.#tellIfRestored();
		// On a connection that is lost it is not heard anyway.
		if (link?.client.status === 'ready') await link.client.sunsubscribe(name).catch(() => {});
	}

	close(): void {
		this.#closed = true;
		this.#stopPing?.();
		this.#stopRetry?.();
		this.#commands.off('refresh', this.#onrefresh);
		for (const { client } of this.#links.values()) client.disconnect();
	}

	/** Puts a channel where it belongs, as far as that is known. */
	#place(channel: Channel): void {
		const link = this.#linkFor(channel.slot) ?? channel.link;
		if (link === channel.link) return;
		const old = channel.link;
		this.#lose(channel);
		old?.channels.delete(channel);
		if (old?.client.status === 'ready') old.client.sunsubscribe(channel.name).catch(() => {});
		channel.link = link;
		link?.channels.add(channel);
	}

	#linkFor(slot: number): Link | undefined {
		const commands = this.#commands;
		const node = isCluster(commands) ? commands.slots[slot]?.[0] : '';
		if (node === undefined) return undefined;
		const known = this.#links.get(node);
		if (known !== undefined) return known;
		const pattern = isCluster(commands)
			? commands.nodes('all').find(({ options }) => `${options.host}:${options.port}` === node)
			: commands;
		if (pattern === undefined) return undefined;
		const link: Link = { client: ownSubscriber(pattern), channels: new Set() };
		this.#links.set(node, link);
		this.#open(link);
		return link;
	}

	#open(link: Link): void {
		const { client } = link;
		// Without a listener, a lost connection would end the process.
		client.on('error', (error) => {
			if (!this.#closed) this.#events.error(error);
		});
		client.on('smessage', (name: string, message: string) => {
			if (this.#channels.get(name)?.link === link) this.#events.message(name, message);
		});
		client.on('ready', () => this.#ask(link, link.channels));
		client.on('close', () => this.#loseAll(link));
		// The server let go of a channel whose slot moved; it does not say which in time for what comes on the others.
		client.on('moved', () => this.#loseAll(link));
		client.connect().catch(() => {});
		if (this.#stopPing === undefined) this.#pingLater();
	}

	#loseAll(link: Link): void {
		if (this.#closed) return;
		for (const channel of link.channels) this.#lose(channel);
		this.#retryLater();
	}

	#lose(channel: Channel): void {
		channel.asked = undefined;
		if (!channel.heard) return;
		channel.heard = false;
		this.#lost.add(channel);
		if (this.#interrupted) return;
		this.#interrupted = true;
		this.#events.interrupted();
	}

	/** Asks a link for those of `channels` that it was not asked for yet. */
	#ask(link: Link, channels: Iterable<Channel>): void {
		if (link.client.status !== 'ready') return;
		const bySlot = new Map<number, Channel[]>();
		for (const channel of channels) {
			if (channel.heard || channel.asked === link) continue;
			channel.asked = link;
			const same = bySlot.get(channel.slot);
			if (same === undefined) bySlot.set(channel.slot, [channel]);
			else same.push(channel);
		}
		for (const same of bySlot.values()) {
			for (let index = 0; index < same.length; index += CHANNELS_PER_COMMAND) {
				void this.#askInOne(link, same.slice(index, index + CHANNELS_PER_COMMAND));
			}
		}
	}

	async #askInOne(link: Link, channels: readonly Channel[]): Promise<void> {
		try {
			await link.client.ssubscribe(...channels.map(({ name }) => name));
		} catch (error) {
			if (this.#closed) return;
			for (const channel of channels) if (channel.asked === link) channel.asked = undefined;
			// A connection that is lost says so itself.
			if (link.client.status === 'ready') this.#events.error(error instanceof Error ? error : new Error(String(error)));
			return this.#retryLater();
		}
		for (const channel of channels) {
			// It may have been lost since, or be asked for elsewhere.
			if (channel.asked !== link) continue;
			channel.asked = undefined;
			channel.heard = true;
			channel.resolve();
			this.#lost.delete(channel);
		}
		this.#tellIfRestored();
	}

	#tellIfRestored(): void {
		if (!this.#interrupted || this.#lost.size > 0) return;
		this.#interrupted = false;
		this.#events.restored();
	}

	/** Puts every channel where it belongs, has it heard there, and closes the connections that nobody needs. */
	#reconcile(): void {
		if (this.#closed) return;
		for (const channel of this.#channels.values()) this.#place(channel);
		for (const [node, link] of this.#links) {
			this.#ask(link, link.channels);
			if (link.channels.size > 0 || node === '') continue;
			this.#links.delete(node);
			link.client.disconnect();
		}
		for (const channel of this.#channels.values()) if (!channel.heard) return this.#retryLater();
	}

	#retryLater(): void {
		if (this.#closed) return;
		this.#stopRetry ??= systemClock.after(RETRY_MS, () => {
			this.#stopRetry = undefined;
			// The answer of a cluster leads to `#reconcile`; none comes while no node is there.
			if (isCluster(this.#commands)) this.#commands.refreshSlotsCache();
			this.#reconcile();
		});
	}

	/**
	 * A connection that hangs is told from one that is idle: without an answer in time it is lost. So are those for commands,
	 * which are needed at once to restore what was missed.
	 */
	#pingLater(): void {
		this.#stopPing = systemClock.after(PING_MS, () => {
			const commands = isCluster(this.#commands) ? this.#commands.nodes() : [this.#commands];
			const subscribers = [...this.#links.values()].map(({ client }) => client);
			for (const client of [...commands, ...subscribers]) if (client.status === 'ready') client.ping().catch(() => {});
			this.#pingLater();
		});
	}
}
