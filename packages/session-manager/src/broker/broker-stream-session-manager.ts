import type { Clock } from '../contract/clock.js';
import { type MaybePromise, whenReady } from '../contract/maybe-promise.js';
import { SessionManagerError } from '../contract/session-manager-error.js';
import { isAddress, isSessionStream } from '../contract/stream-id.js';
import {
	type StreamAttachment,
	type StreamController,
	type StreamCreateOptions,
	StreamSessionManager,
} from '../contract/stream-session-manager.js';
import { systemClock } from '../contract/system-clock.js';
import { AddressListeners, type Listener } from '../stream/address-listeners.js';
import { BoundedWriter, DEFAULT_MAX_BUFFERED_BYTES } from '../stream/bounded-writer.js';
import { SlicedAppends, sessionStreams } from '../stream/sliced-appends.js';
import { type HistoryLimits, historyLimits } from '../stream/stream-history.js';
import { Background } from './background.js';
import { BroadcastTurns } from './broadcast-turns.js';
import type { BrokerHooks } from './broker-hooks.js';
import { BROADCAST_CHANNEL, type BrokerMessage } from './broker-message.js';
import {
	type BrokerAttached,
	type BrokerPosition,
	type BrokerStart,
	formatStreamPosition,
	type HistorySlice,
	type StreamPosition,
} from './broker-position.js';
import { ChannelSubscriptions } from './channel-subscriptions.js';
import { LocalHolders } from './local-holders.js';
import { StallWatch } from './stall-watch.js';
import { StreamOpening } from './stream-opening.js';
import { StreamRestoration } from './stream-restoration.js';

/** Options of every manager that delivers events through a broker. */
export interface BrokerStreamSessionManagerOptions {
	/**
	 * How much is kept of each session so that clients can resume, and the same again for broadcasts.
	 *
	 * @default 1,000 events, 1 MiB, 10 minutes
	 */
	readonly history?: Partial<HistoryLimits>;
	/**
	 * How many bytes a client may leave unread before its stream is closed.
	 *
	 * @default 1 MiB
	 */
	readonly maxBufferedBytes?: number;
	/**
	 * The source of time.
	 *
	 * @default the machine's clock
	 */
	readonly clock?: Clock;
}

/**
 * The base class for managers over a broker. It owns the local holders with their bounded buffers, takeover, replay,
 * restoring after an outage of the broker, addresses, and close. A backend implements the protected hooks. Every
 * operation that can race between nodes is one hook, which the backend must make atomic.
 *
 * @example
 * ```ts source="../../test/examples/broker-stream-session-manager.examples.ts#skeleton"
 * export abstract class MyStreamSessionManager extends BrokerStreamSessionManager {
 * 	readonly #broker: Broker;
 *
 * 	constructor(broker: Broker, options?: BrokerStreamSessionManagerOptions) {
 * 		super(options);
 * 		this.#broker = broker;
 * 		broker.onmessage = (channel, message) => this.received(channel, message);
 * 		broker.ondown = () => this.interrupted();
 * 		broker.onup = () => void broker.subscribe(this.subscribedChannels).then(() => this.restored());
 * 	}
 *
 * 	protected publish(addresses: readonly string[], data: string): Promise<void> {
 * 		return this.#broker.publish(addresses, { type: 'event', offset: 0, data });
 * 	}
 *
 * 	protected subscribe(channel: string): Promise<void> {
 * 		return this.#broker.subscribe([channel]);
 * 	}
 *
 * 	protected unsubscribe(channel: string): Promise<void> {
 * 		return this.#broker.unsubscribe([channel]);
 * 	}
 *
 * 	// attach, readBroadcasts, detach, append, appendBroadcast, lastBroadcast, forget and isHeard follow: each is one
 * 	// atomic command.
 * }
 * ```
 */
export abstract class BrokerStreamSessionManager extends StreamSessionManager {
	protected readonly clock: Clock;
	protected readonly limits: HistoryLimits;
	readonly #maxBufferedBytes: number;
	readonly #background = new Background((error) => this.onerror?.(error));
	readonly #channels = new ChannelSubscriptions(
		(channel) => this.subscribe(channel),
		(channel) => this.unsubscribe(channel),
	);
	readonly #listeners = new AddressListeners(
		(address) => void this.#background.run(() => this.#channels.release(address)),
	);
	readonly #holders: LocalHolders;
	readonly #broadcasts: BroadcastTurns;
	readonly #restoration: StreamRestoration;
	readonly #streams: StreamOpening;
	readonly #stallWatch: StallWatch;
	readonly #sliced = new SlicedAppends();
	/** The streams that are being opened. */
	readonly #opening = new Set<Promise<StreamAttachment>>();
	#closed = false;

	constructor(options: BrokerStreamSessionManagerOptions = {}) {
		super();
		this.clock = options.clock ?? systemClock;
		this.limits = historyLimits(options.history);
		this.#maxBufferedBytes = options.maxBufferedBytes ?? DEFAULT_MAX_BUFFERED_BYTES;
		const hooks: BrokerHooks = {
			attach: (id, token, after, keep, since) => this.attach(id, token, after, keep, since),
			readBroadcasts: (after) => this.readBroadcasts(after),
			detach: (id, token, delivered) => this.detach(id, token, delivered),
		};
		this.#holders = new LocalHolders(this.#channels, this.#background, hooks);
		this.#broadcasts = new BroadcastTurns(this.#holders);
		this.#restoration = new StreamRestoration(
			this.#channels,
			this.#holders,
			this.#broadcasts,
			this.#background,
			this.clock,
			hooks,
		);
		this.#streams = new StreamOpening(
			this.#holders,
			this.#restoration,
			this.#background,
			hooks,
			() => this.#assertOpen(),
			this.#maxBufferedBytes,
		);
		this.#stallWatch = new StallWatch(
			this.clock,
			() => this.#holders.all.size > 0 || !this.#listeners.isEmpty,
			() => this.#stalled(),
		);
	}

	/**
	 * Makes this node the holder of stream `id` under `token`, and reads what follows `after` in both histories, as one
	 * atomic step. Where another holder may be left, on any node, `taken` is published for it, in the order of the
	 * events; whoever took the stream may be told, too. Without a position for a history, its slice starts at the first
	 * event that was never written to a client; for the broadcasts of a session stream that nobody has held yet, at the
	 * first one after `since`. With `keep` the stream is taken only if `token` still holds it: `superseded`
	 * where another does, `ended` where nobody does; the result needs no broadcasts then. Without a position, where the
	 * holder before did not detach, of whichever node it is, the slice has a gap if that holder's own had one, or if
	 * anything has followed in the history since where that one began, and likewise for the broadcasts: nobody knows
	 * whether it reached a client. A request stream of which nothing is known is not created where a client's position
	 * in it is given: it is `unknown`. Where the position is that of a holder, it is created, with a gap.
	 */
	protected abstract attach(
		id: string,
		token: string,
		after: BrokerStart,
		keep: boolean,
		since?: StreamPosition,
	): MaybePromise<BrokerAttached>;

	/** Reads the broadcasts after a position. */
	protected abstract readBroadcasts(after: StreamPosition): MaybePromise<HistorySlice>;

	/**
	 * Releases stream `id` if `token` still holds it, and records that everything up to `delivered` was written to a
	 * client. Where the epoch of `delivered` in the stream's own history is another one, whoever takes the stream next
	 * without a position goes on there all the same, with a gap.
	 */
	protected abstract detach(id: string, token: string, delivered: BrokerPosition): MaybePromise<void>;

	/**
	 * Appends an event to the history of each stream and publishes it on the stream's channel, each as one step.
	 * Returns the offset that it has in each; none for a request stream that has ended, which must take nothing more, and
	 * none where another node holds a request stream by now: a client that this node still has there was superseded.
	 * The results of the appends of one node to one stream must resolve in the order of the appends: where this node
	 * holds the stream, the event is delivered then.
	 */
	protected abstract append(ids: readonly string[], data: string): MaybePromise<readonly (number | undefined)[]>;

	/**
	 * Appends an event to the history of broadcasts and publishes it once on {@link BROADCAST_CHANNEL}, as one atomic
	 * step.
	 */
	protected abstract appendBroadcast(data: string): MaybePromise<void>;

	/** Returns the position of the newest broadcast. */
	protected abstract lastBroadcast(): MaybePromise<StreamPosition>;

	/** Publishes an event on addresses, without history. */
	protected abstract publish(addresses: readonly string[], data: string): MaybePromise<void>;

	/**
	 * Removes everything that is kept of stream `id` and publishes `over` on its channel. For a session's id it must do
	 * so for every stream of the session, request streams included.
	 */
	protected abstract forget(id: string): MaybePromise<void>;

	/** Subscribes to `channel`. Must resolve only when no later message can be missed. */
	protected abstract subscribe(channel: string): MaybePromise<void>;

	/** Unsubscribes from `channel`. */
	protected abstract unsubscribe(channel: string): MaybePromise<void>;

	/** Returns whether any node is subscribed to `channel`. */
	protected abstract isHeard(channel: string): MaybePromise<boolean>;

	override get resumable(): boolean {
		return true;
	}

	override get maxEventBytes(): number {
		return this.limits.maxBytes;
	}

	/** Whether the manager was closed. */
	protected get closed(): boolean {
		return this.#closed;
	}

	/** The channels that this node needs, for backends that must subscribe again after a lost connection. */
	protected get subscribedChannels(): string[] {
		return this.#channels.names;
	}

	override position(): MaybePromise<string> {
		this.#assertOpen();
		return whenReady(this.lastBroadcast(), formatStreamPosition);
	}

	async create(id: string, controller: StreamController, options: StreamCreateOptions = {}): Promise<StreamAttachment> {
		this.#assertOpen();
		if (isAddress(id)) {
			return this.#listen(id, { writer: new BoundedWriter(controller, this.#maxBufferedBytes), ongap: options.ongap });
		}
		this.#stallWatch.start();
		const opening = this.#streams.open(id, controller, options);
		this.#opening.add(opening);
		try {
			return await opening;
		} finally {
			this.#opening.delete(opening);
		}
	}

	delete(id: string): MaybePromise<void> {
		this.#assertOpen();
		// What is still to be told the session would outlive it.
		return this.#sliced.busy && isSessionStream(id) ? this.#sliced.behind(() => this.delete(id)) : this.forget(id);
	}

	has(id: string): MaybePromise<boolean> {
		this.#assertOpen();
		return this.isHeard(id);
	}

	send(ids: readonly string[] | undefined, data: string): MaybePromise<void> {
		this.#assertOpen();
		if (this.#sliced.busy && (ids === undefined || ids.some(isSessionStream)))
			return this.#sliced.behind(() => this.send(ids, data));
		if (ids === undefined) return this.appendBroadcast(data);
		if (this.#sliced.isMany(ids.length, data.length)) return this.#sendToMany(ids, data);
		return this.#sendAtOnce(ids.length > 1 ? [...new Set(ids)] : ids, data);
	}

	/** Keeps nothing of it. A backend that does may call this first: it throws once the manager is closed. */
	override expireIn(_id: string, _ms: number): MaybePromise<void> {
		this.#assertOpen();
	}

	override async close(): Promise<void> {
		if (this.#closed) return;
		this.#closed = true;
		const leaving = this.#holders.close();
		this.#stallWatch.stop();
		this.#listeners.close();
		await Promise.allSettled([leaving, ...this.#opening]);
	}

	/** Handles a message on `channel`. Backends must call it in the order in which the channel delivers. */
	protected received(channel: string, message: BrokerMessage): void {
		this.#stallWatch.check();
		if (channel === BROADCAST_CHANNEL) {
			if (message.type === 'event') this.#broadcasts.add(message);
			return;
		}
		if (message.type === 'event') this.#listeners.send(channel, message.data);
		else if (message.type === 'over') this.#listeners.end(channel);
		const holders = this.#holders.of(channel);
		if (this.#broadcasts.busy && isSessionStream(channel)) this.#broadcasts.catchUp(holders);
		for (const holder of holders) {
			if (message.type === 'event') this.#holders.offer(holder, 'own', message);
			else if (message.type === 'over') this.#holders.end(holder);
			else if (holder.taken(message.order)) this.#holders.end(holder);
		}
	}

	/**
	 * Reports that messages may be missed from now on. Backends must call it when they lose the connection to the broker.
	 * One with several connections names what it lost, and the rest goes on: all addresses, all streams, or the channels
	 * themselves. Of a session stream whose channel is lost, broadcasts are still delivered, and while
	 * {@link BROADCAST_CHANNEL} is lost, its own events.
	 */
	protected interrupted(what?: 'addresses' | 'streams' | readonly string[]): void {
		// What is missed on an address cannot be read again: its listeners are told afterwards.
		if (what !== 'addresses') this.#restoration.interrupted(what === 'streams' ? undefined : what);
	}

	/**
	 * Reports that all channels are subscribed again, or those of `what`, as {@link interrupted} named it; channels may
	 * come back in other parts than they were lost in. After {@link interrupted} without names it is called without any.
	 * Backends must call it after an interruption, but need not name a channel that they were told to unsubscribe from.
	 * Missed events are read from history; streams that others took over in the meantime end.
	 */
	protected restored(what?: 'addresses' | 'streams' | readonly string[]): void {
		if (what !== 'streams') this.#tellListeners(typeof what === 'object' ? what : undefined);
		if (what !== 'addresses') this.#restoration.restored(what === 'streams' ? undefined : what);
	}

	/** Tells the listeners of `addresses` that they may have missed something; without any named, all. */
	#tellListeners(addresses?: readonly string[]): void {
		const listeners = addresses?.flatMap((address) => [...this.#listeners.of(address)]) ?? this.#listeners.all();
		for (const { ongap } of listeners) this.#background.run(() => ongap?.());
	}

	/** Sends to streams of which none is named twice. */
	#sendAtOnce(ids: readonly string[], data: string): MaybePromise<void> {
		const addresses = ids.filter(isAddress);
		if (addresses.length === 0) return this.#append(ids, data);
		const streams = ids.filter((id) => !isAddress(id));
		return whenReady(this.publish(addresses, data), () => this.#append(streams, data));
	}

	#sendToMany(ids: readonly string[], data: string): MaybePromise<void> {
		// Responses do not wait behind slices, so nothing that goes on their streams may either.
		const others = new Set(ids.filter((id) => !isSessionStream(id)));
		// The caller may change its array meanwhile.
		const sessions = sessionStreams(ids.slice());
		return whenReady(this.#sendAtOnce([...others], data), () =>
			this.#sliced.append(sessions, (some) => this.#append(some, data), data.length),
		);
	}

	/**
	 * One node writes to a request stream. Where that is the node that holds it, its client gets the event once the
	 * broker has taken it, whatever becomes of the way back.
	 */
	#append(ids: readonly string[], data: string): MaybePromise<void> {
		if (ids.length === 0) return;
		return whenReady(this.append(ids, data), (offsets) => {
			for (const [index, id] of ids.entries()) {
				const offset = offsets[index];
				if (offset === undefined || isSessionStream(id)) continue;
				for (const holder of this.#holders.of(id)) this.#holders.offer(holder, 'own', { offset, data });
			}
		});
	}

	async #listen(address: string, listener: Listener): Promise<StreamAttachment> {
		this.#stallWatch.start();
		this.#listeners.add(address, listener);
		try {
			await this.#channels.acquire(address);
			this.#assertOpen();
		} catch (error) {
			this.#listeners.remove(address, listener);
			throw error;
		}
		return {
			continuation: 'fresh',
			detach: () => {
				listener.writer.release();
				this.#listeners.leave(address, listener);
			},
		};
	}

	/**
	 * This process did not run for a while. Nothing that it hears is handed over before the store has said whose each
	 * stream is.
	 */
	#stalled(): void {
		if (this.#restoration.distrust()) this.#tellListeners();
	}

	#assertOpen(): void {
		if (this.#closed) throw new SessionManagerError('closed', 'The stream session manager is closed.');
	}
}
