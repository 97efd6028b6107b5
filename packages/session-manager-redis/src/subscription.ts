import { systemClock } from '@holdfast/session-manager/custom';
import { toError } from '@holdfast/session-manager/internal';
import type { Cluster, Redis } from 'ioredis';
import { ownSubscriber } from './client.js';
import { slotOf } from './slot.js';
import { isCluster } from './source.js';

/** The interval of pings to each server, in milliseconds. */
const PING_MS = 2_000;
/** The delay before another attempt to subscribe, or to read the slots of a cluster, in milliseconds. */
const RETRY_MS = 250;
/** How many channels one command names. */
const CHANNELS_PER_COMMAND = 500;

/** The callbacks of a subscription. */
export interface SubscriptionEvents {
	message(id: string, message: string): void;
	/** Called when messages to the channels of `ids` may be missed from now on. */
	interrupted(ids: readonly string[]): void;
	/** Called when lost channels are subscribed again, those of `ids`. */
	restored(ids: readonly string[]): void;
	error(error: Error): void;
}

/** A connection to one server, and the channels subscribed there. */
interface Link {
	readonly client: Redis;
	/** How many channels are, or will be, subscribed there. */
	size: number;
	/** Channels to subscribe at the end of this turn of the event loop, or with the reply to what was asked before. */
	wanted: Channel[];
	/** How many commands that subscribe have no reply yet. */
	asked: number;
	/** Lost channels that are subscribed again, until the last of those commands has its reply. */
	regained: Channel[];
}

interface Channel {
	readonly name: string;
	/** What it is the channel of. */
	readonly id: string;
	readonly slot: number;
	/** The link on which the channel is, or will be, subscribed. */
	link: Link | undefined;
	/** The link with a pending subscribe command for this channel. */
	pending: Link | undefined;
	subscribed: boolean;
	/** Until the channel is subscribed for the first time: resolves then. */
	first: { readonly ready: Promise<void>; readonly resolve: () => void } | undefined;
}

/**
 * The pub/sub connections, separate from the one for commands: one, or one to each cluster master that serves a
 * channel. A master that is lost interrupts the channels that it serves, and no others. A server that hangs is
 * abandoned within twice {@link PING_MS}.
 *
 * For a cluster, ioredis 6 offers `shardedSubscribers`. It is not used because it reports neither a lost channel before
 * other messages arrive nor a channel that is subscribed again, and because it does not detect a server that hangs.
 */
export class RedisSubscription {
	readonly #commands: Redis | Cluster;
	readonly #events: SubscriptionEvents;
	readonly #channels = new Map<string, Channel>();
	/** By node, as the cluster names it; a standalone server is `''`. */
	readonly #links = new Map<string, Link>();
	readonly #onrefresh = () => this.#reconcile();
	#stopPing: (() => void) | undefined;
	#stopRetry: (() => void) | undefined;
	#closed = false;

	/** `commands` is our client for commands: it knows the servers and, in a cluster, their slots. */
	constructor(commands: Redis | Cluster, events: SubscriptionEvents) {
		this.#commands = commands;
		this.#events = events;
		if (isCluster(commands)) commands.on('refresh', this.#onrefresh);
	}

	/**
	 * Subscribes to the channel of `id` until {@link unsubscribe}, through any interruption. Resolves once it is
	 * subscribed for the first time.
	 */
	subscribe(name: string, id: string): Promise<void> {
		const known = this.#channels.get(name);
		if (known !== undefined) return known.first?.ready ?? Promise.resolve();
		let resolve = () => {};
		const ready = new Promise<void>((done) => {
			resolve = done;
		});
		const slot = isCluster(this.#commands) ? slotOf(name) : 0;
		const first = { ready, resolve };
		const channel: Channel = { name, id, slot, link: undefined, pending: undefined, subscribed: false, first };
		this.#channels.set(name, channel);
		this.#place(channel);
		if (channel.link === undefined) this.#retryLater();
		else this.#subscribeSoon(channel.link, channel);
		return ready;
	}

	/** Unsubscribes from a channel. */
	async unsubscribe(name: string): Promise<void> {
		const channel = this.#channels.get(name);
		if (channel === undefined) return;
		this.#channels.delete(name);
		const { link } = channel;
		moveTo(undefined, channel);
		// A lost connection has no subscriptions.
		if (link?.client.status === 'ready') await link.client.sunsubscribe(name).catch(() => {});
	}

	close(): void {
		this.#closed = true;
		this.#stopPing?.();
		this.#stopRetry?.();
		this.#commands.off('refresh', this.#onrefresh);
		for (const { client } of this.#links.values()) client.disconnect();
	}

	/** Assigns a channel to the link of its slot, if that is known. Returns whether it was subscribed on another one. */
	#place(channel: Channel): boolean {
		const link = this.#linkFor(channel.slot) ?? channel.link;
		if (link === channel.link) return false;
		const old = channel.link;
		const isLost = lose(channel);
		if (old?.client.status === 'ready') old.client.sunsubscribe(channel.name).catch(() => {});
		moveTo(link, channel);
		return isLost;
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
		const link: Link = { client: ownSubscriber(pattern), size: 0, wanted: [], asked: 0, regained: [] };
		this.#links.set(node, link);
		this.#open(link);
		return link;
	}

	#open(link: Link): void {
		const { client } = link;
		// Without a listener, a lost connection would crash the process.
		client.on('error', (error) => {
			if (!this.#closed) this.#events.error(error);
		});
		client.on('smessage', (name: string, message: string) => {
			const channel = this.#channels.get(name);
			if (channel?.link === link) this.#events.message(channel.id, message);
		});
		client.on('ready', () => this.#subscribe(link, this.#channels.values()));
		client.on('close', () => this.#loseAll(link));
		// The server dropped a channel whose slot moved, and does not say which one before messages on the others arrive.
		client.on('moved', () => this.#loseAll(link));
		client.connect().catch(() => {});
		if (this.#stopPing === undefined) this.#pingLater();
	}

	#loseAll(link: Link): void {
		if (this.#closed) return;
		this.#loseEach((channel) => channel.link === link && lose(channel));
		this.#retryLater();
	}

	/** Reports the channels of which `isLost` says that they were subscribed and are lost now. */
	#loseEach(isLost: (channel: Channel) => boolean): void {
		const ids: string[] = [];
		for (const channel of this.#channels.values()) if (isLost(channel)) ids.push(channel.id);
		if (ids.length > 0) this.#events.interrupted(ids);
	}

	/**
	 * Subscribes to a channel with all that are wanted in this turn of the event loop. While the server has not replied
	 * to the last command, those of later turns join: sending a command costs more than a channel of it.
	 */
	#subscribeSoon(link: Link, channel: Channel): void {
		if (link.wanted.push(channel) === 1 && link.asked === 0) setImmediate(() => this.#subscribeWanted(link));
	}

	#subscribeWanted(link: Link): void {
		const { wanted } = link;
		link.wanted = [];
		this.#subscribe(link, wanted);
	}

	/** Subscribes to those of `channels` that belong to the link and for which it has no pending command. */
	#subscribe(link: Link, channels: Iterable<Channel>): void {
		if (link.client.status !== 'ready') return;
		const bySlot = new Map<number, Channel[]>();
		for (const channel of channels) {
			if (channel.link !== link || channel.subscribed || channel.pending === link) continue;
			channel.pending = link;
			const same = bySlot.get(channel.slot);
			if (same === undefined) bySlot.set(channel.slot, [channel]);
			else same.push(channel);
		}
		for (const same of bySlot.values()) {
			for (let index = 0; index < same.length; index += CHANNELS_PER_COMMAND) {
				void this.#send(link, same.slice(index, index + CHANNELS_PER_COMMAND));
			}
		}
	}

	async #send(link: Link, channels: readonly Channel[]): Promise<void> {
		link.asked++;
		try {
			await link.client.ssubscribe(...channels.map(({ name }) => name));
			this.#subscribed(link, channels);
		} catch (error) {
			if (this.#closed) return;
			for (const channel of channels) if (channel.pending === link) channel.pending = undefined;
			// A lost connection reports itself.
			if (link.client.status === 'ready') this.#events.error(toError(error));
			this.#retryLater();
		} finally {
			if (--link.asked === 0) {
				this.#reportRegained(link);
				this.#subscribeWanted(link);
			}
		}
	}

	#subscribed(link: Link, channels: readonly Channel[]): void {
		for (const channel of channels) {
			// It may have been lost since, or moved to another link.
			if (channel.pending !== link) continue;
			channel.pending = undefined;
			channel.subscribed = true;
			if (channel.first === undefined) link.regained.push(channel);
			channel.first?.resolve();
			channel.first = undefined;
		}
	}

	/** Reports the channels that are subscribed again, many at once: what was missed is read once for all of them. */
	#reportRegained(link: Link): void {
		const { regained } = link;
		link.regained = [];
		const isBack = (channel: Channel) => channel.subscribed && channel.link === link;
		const ids = regained.filter(isBack).map(({ id }) => id);
		if (ids.length > 0) this.#events.restored(ids);
	}

	/** Assigns every channel to its link, subscribes it there, and closes links without channels. */
	#reconcile(): void {
		if (this.#closed) return;
		this.#loseEach((channel) => this.#place(channel));
		for (const [node, link] of this.#links) {
			this.#subscribe(link, this.#channels.values());
			if (link.size > 0 || node === '') continue;
			this.#links.delete(node);
			link.client.disconnect();
		}
		for (const channel of this.#channels.values()) if (!channel.subscribed) return this.#retryLater();
	}

	#retryLater(): void {
		if (this.#closed) return;
		this.#stopRetry ??= systemClock.after(RETRY_MS, () => {
			this.#stopRetry = undefined;
			// A refresh triggers `#reconcile`, but it never completes while no node is reachable.
			if (isCluster(this.#commands)) this.#commands.refreshSlotsCache();
			this.#reconcile();
		});
	}

	/**
	 * Pings distinguish a hung connection from an idle one: without a reply in time, ioredis closes it. The connections
	 * for commands are pinged too, because restoring the missed events needs them at once.
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

/** Notes that a channel is not subscribed any more. Returns whether it was. */
function lose(channel: Channel): boolean {
	const { subscribed } = channel;
	channel.pending = undefined;
	channel.subscribed = false;
	return subscribed;
}

function moveTo(link: Link | undefined, channel: Channel): void {
	if (channel.link !== undefined) channel.link.size--;
	channel.link = link;
	if (link !== undefined) link.size++;
}
