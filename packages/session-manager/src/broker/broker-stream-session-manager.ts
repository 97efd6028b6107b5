import { randomBytes } from 'node:crypto';
import type { Clock } from '../contract/clock.js';
import { isAfterEnd } from '../contract/event-id.js';
import { lazy } from '../contract/lazy.js';
import { isThenable, type MaybePromise, whenReady } from '../contract/maybe-promise.js';
import { SessionManagerError } from '../contract/session-manager-error.js';
import { isAddress, isSessionStream, parseStreamId } from '../contract/stream-id.js';
import {
	type StreamAttachment,
	type StreamController,
	type StreamCreateOptions,
	StreamSessionManager,
} from '../contract/stream-session-manager.js';
import { systemClock } from '../contract/system-clock.js';
import { toError } from '../contract/to-error.js';
import { visitInTurns } from '../contract/visit-in-turns.js';
import { AddressListeners, type Listener } from '../stream/address-listeners.js';
import { BoundedWriter, DEFAULT_MAX_BUFFERED_BYTES } from '../stream/bounded-writer.js';
import { SlicedAppends, sessionStreams, TOLD_AT_ONCE } from '../stream/sliced-appends.js';
import { type HistoryLimits, historyLimits } from '../stream/stream-history.js';
import { BrokerHolder } from './broker-holder.js';
import { BROADCAST_CHANNEL, type BrokerMessage } from './broker-message.js';
import {
	type BrokerAttached,
	type BrokerEvent,
	type BrokerPosition,
	type BrokerStart,
	formatStreamPosition,
	type HistorySlice,
	isEpoch,
	parsePosition,
	parseStreamPosition,
	type StreamPosition,
	sliceAfter,
} from './broker-position.js';
import { ChannelSubscriptions } from './channel-subscriptions.js';

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

/** How often this process notes that it runs, in milliseconds. */
const TICK_MS = 1_000;
/** A process that did not run for so long may have lost its streams to others, in milliseconds. */
const STALL_MS = 4 * TICK_MS;
/** The beginning of a history of which nothing is known. */
const NOWHERE: StreamPosition = Object.freeze({ epoch: '', offset: 0 });
/** How long to wait before trying again to restore a stream, in milliseconds. */
const RETRY_MS = 250;
/**
 * How many streams are restored concurrently, so that a broker that has just come back is not flooded with requests.
 */
const RESTORED_AT_ONCE = 25;

/** How many broadcasts may be under way at once. */
const MAX_BROADCASTS = 64;
/** Goes on as soon as the event loop has gone round. */
const nextTurn: Pick<Clock, 'after'> = {
	after(_delayMs, task) {
		const turn = setImmediate(task);
		return () => clearImmediate(turn);
	},
};

/** A position that another manager wrote is after all that there is: the broadcasts since then may be lost. */
const FOREIGN: StreamPosition = Object.freeze({ epoch: '0', offset: Number.MAX_SAFE_INTEGER });

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
	/** Holders by stream id; the old and the new one while a stream is taken over on this node. */
	readonly #holders = new Map<string, readonly BrokerHolder[]>();
	readonly #listeners = new AddressListeners((address) => void this.#background(() => this.#channels.release(address)));
	readonly #channels = new ChannelSubscriptions(
		(channel) => this.subscribe(channel),
		(channel) => this.unsubscribe(channel),
	);
	readonly #sliced = new SlicedAppends();
	/** When this process was last seen to run, on the monotonic clock; infinite while nothing here is to be told. */
	#tickedAt = Number.POSITIVE_INFINITY;
	#stopTick: (() => void) | undefined;
	/** How often the broker was lost, and whether it is now. */
	#outages = 0;
	#isInterrupted = false;
	/** The broadcasts that streams missed, read once for all that are restored. */
	#missed:
		| { readonly connection: number; readonly from: number; readonly slice: MaybePromise<HistorySlice> }
		| undefined;
	/** The broadcasts that have not reached every stream of this node, oldest first. */
	#broadcasts: BrokerEvent[] = [];
	/** The streams that wait to be restored, and how many are being restored. */
	readonly #toRestore = new Set<BrokerHolder>();
	#restorers = 0;
	/** How the tokens of this manager's holders begin, and how many there were. */
	readonly #tokens = lazy(() => randomBytes(9).toString('base64url'));
	#opened = 0;
	/** The streams that are being opened. */
	readonly #opening = new Set<Promise<StreamAttachment>>();
	#closed = false;

	constructor(options: BrokerStreamSessionManagerOptions = {}) {
		super();
		this.clock = options.clock ?? systemClock;
		this.limits = historyLimits(options.history);
		this.#maxBufferedBytes = options.maxBufferedBytes ?? DEFAULT_MAX_BUFFERED_BYTES;
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
		const opening = this.#open(id, controller, options);
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
		const leaving: Promise<void>[] = [];
		for (const holders of this.#holders.values()) {
			for (const holder of holders) {
				holder.writer.end();
				leaving.push(this.#leave(holder));
			}
		}
		this.#stopTick?.();
		this.#listeners.close();
		await Promise.allSettled([...leaving, ...this.#opening]);
	}

	/** Handles a message on `channel`. Backends must call it in the order in which the channel delivers. */
	protected received(channel: string, message: BrokerMessage): void {
		if (this.clock.monotonic() - this.#tickedAt > STALL_MS) this.#stalled();
		if (channel === BROADCAST_CHANNEL) {
			if (message.type !== 'event') return;
			this.#broadcasts.push(message);
			if (this.#broadcasts.length === 1) this.#broadcast(message);
			else if (this.#broadcasts.length > MAX_BROADCASTS) this.#catchUpAll();
			return;
		}
		if (message.type === 'event') this.#listeners.send(channel, message.data);
		else if (message.type === 'over') this.#listeners.end(channel);
		const holders = this.#holders.get(channel) ?? [];
		if (this.#broadcasts.length > 0 && isSessionStream(channel)) this.#catchUp(holders);
		for (const holder of holders) {
			if (message.type === 'event') this.#offer(holder, 'own', message);
			else if (message.type === 'over') this.#end(holder);
			else if (holder.taken(message.order)) this.#end(holder);
		}
	}

	/**
	 * Reports that messages may be missed from now on. Backends must call it when they lose the connection to the broker.
	 * One that hears addresses on a connection of their own names what it lost.
	 */
	protected interrupted(what?: 'addresses' | 'streams'): void {
		// What is missed on an address cannot be read again: its listeners are told afterwards.
		if (what === 'addresses') return;
		this.#outages++;
		this.#isInterrupted = true;
		// Whom they have not reached reads them from history.
		this.#broadcasts = [];
		for (const holders of this.#holders.values()) for (const holder of holders) holder.pause();
	}

	/**
	 * Reports that all channels are subscribed again: those of `what`, where {@link interrupted} named it. Backends must
	 * call it after an interruption. Missed events are read from history; streams that others took over in the meantime
	 * end.
	 */
	protected restored(what?: 'addresses' | 'streams'): void {
		if (what !== 'streams') for (const { ongap } of this.#listeners.all()) this.#background(() => ongap?.());
		if (what === 'addresses') return;
		this.#isInterrupted = false;
		for (const holders of this.#holders.values()) for (const holder of holders) this.#restoreSoon(holder);
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
				for (const holder of this.#holders.get(id) ?? []) this.#offer(holder, 'own', { offset, data });
			}
		});
	}

	/** Gives a broadcast to a part of the streams of this node in each turn, and then the next one. */
	#broadcast(event: BrokerEvent): void {
		const visit = ([id, holders]: readonly [string, readonly BrokerHolder[]]) => {
			if (this.#broadcasts[0] !== event || !isSessionStream(id)) return 1;
			for (const holder of holders) this.#offer(holder, 'broadcasts', event);
			return holders.length;
		};
		visitInTurns(nextTurn, this.#holders, TOLD_AT_ONCE, visit, () => {
			if (this.#broadcasts[0] !== event) return;
			this.#broadcasts.shift();
			const [next] = this.#broadcasts;
			if (next !== undefined) this.#broadcast(next);
		});
	}

	/** While this goes on, nothing more is read from the broker. */
	#catchUpAll(): void {
		for (const [id, holders] of this.#holders) if (isSessionStream(id)) this.#catchUp(holders);
		this.#broadcasts = [];
	}

	/** What follows on a stream of its own comes after the broadcasts before it. */
	#catchUp(holders: readonly BrokerHolder[]): void {
		for (const event of this.#broadcasts) for (const holder of holders) this.#offer(holder, 'broadcasts', event);
	}

	#restoreSoon(holder: BrokerHolder): void {
		this.#toRestore.add(holder);
		if (this.#restorers >= RESTORED_AT_ONCE) return;
		this.#restorers++;
		this.#background(() => this.#restoreNext());
	}

	async #restoreNext(): Promise<void> {
		// The iteration also reaches holders that are added meanwhile.
		for (const holder of this.#toRestore) {
			this.#toRestore.delete(holder);
			await this.#restoreHolder(holder);
		}
		this.#restorers--;
		if (this.#restorers === 0) this.#missed = undefined;
	}

	/** Reads what a paused holder missed and resumes it; repeats if the connection is lost meanwhile. */
	async #restoreHolder(holder: BrokerHolder): Promise<void> {
		if (holder.restoring) return;
		holder.restoring = true;
		try {
			while (holder.paused && holder.writer.open && !this.#isInterrupted) {
				const connection = this.#outages;
				const kept = await this.attach(holder.id, holder.token, holder.position, true);
				// The store may have dropped the end before it was written here, and the stream with it.
				if (kept.outcome === 'ended') holder.flush();
				if (kept.outcome !== 'taken') return this.#end(holder);
				const attached = isSessionStream(holder.id)
					? { ...kept, broadcasts: await this.#missedBroadcasts(connection, holder) }
					: kept;
				assertUsable(attached);
				if (attached.own.gap || attached.broadcasts.gap) await holder.ongap?.();
				if (holder.resume(attached, connection === this.#outages)) continue;
				if (holder.over) return this.#end(holder);
				// A client that left meanwhile had released its stream before it was taken again.
				if (!this.#holds(holder)) return await this.#release(holder);
				return await this.#leave(holder);
			}
		} catch (error) {
			this.#report(error);
			if (!this.#closed && holder.writer.open) this.clock.after(RETRY_MS, () => this.#restoreSoon(holder));
		} finally {
			holder.restoring = false;
		}
	}

	/**
	 * Returns the broadcasts that a paused holder missed. All are read at once, from the oldest position that one needs.
	 */
	#missedBroadcasts(connection: number, { position }: BrokerHolder): MaybePromise<HistorySlice> {
		const own = position.broadcasts ?? NOWHERE;
		let missed = this.#missed;
		if (missed === undefined || missed.connection !== connection || missed.from > own.offset) {
			const from = this.#oldestMissed(own);
			const slice = this.readBroadcasts(from);
			missed = { connection, from: from.offset, slice };
			this.#missed = missed;
			const forget = () => {
				if (this.#missed?.slice === slice) this.#missed = undefined;
			};
			if (isThenable(slice)) slice.then(undefined, forget);
		}
		return whenReady(missed.slice, (slice) => sliceAfter(slice, own));
	}

	#oldestMissed(position: StreamPosition): StreamPosition {
		let oldest = position;
		for (const [id, holders] of this.#holders) {
			if (!isSessionStream(id)) continue;
			for (const holder of holders) {
				const own = holder.position.broadcasts;
				if (own !== undefined && holder.paused && own.offset < oldest.offset) oldest = own;
			}
		}
		return oldest;
	}

	async #open(id: string, controller: StreamController, options: StreamCreateOptions): Promise<StreamAttachment> {
		const { name } = parseStreamId(id);
		if (isAfterEnd(options.lastEventId, name)) return { continuation: 'ended', detach() {} };
		const after: BrokerStart | undefined =
			options.lastEventId === undefined ? {} : readPosition(options.lastEventId, name);
		const holder = new BrokerHolder(
			id,
			// Joined, it is one text; added up, each of its pieces would be kept.
			[this.#tokens(), (++this.#opened).toString(36)].join(''),
			controller,
			options,
			this.#maxBufferedBytes,
		);
		this.#add(holder);
		let attached: BrokerAttached | undefined;
		try {
			await this.#acquireChannel(holder, id);
			if (name === '') await this.#acquireChannel(holder, BROADCAST_CHANNEL);
			const connection = this.#connection;
			const { since } = options;
			const from = name === '' && since !== undefined ? (parseStreamPosition(since) ?? FOREIGN) : undefined;
			const former = after?.own === undefined ? this.#formerOf(holder) : undefined;
			const start = former === undefined ? (after ?? {}) : { ...former.position, of: former.token };
			attached = await this.attach(id, holder.token, start, false, from);
			if (attached.outcome === 'ended' || attached.outcome === 'unknown') {
				await this.#drop(holder);
				return { continuation: attached.outcome, detach() {} };
			}
			for (const other of this.#holders.get(id) ?? []) if (other.isFollowedBy(attached)) this.#end(other);
			if (former !== undefined) attached = withoutWritten(attached, former.position);
			this.#assertOpen();
			assertUsable(attached);
			const gap = after === undefined || attached.own.gap || attached.broadcasts.gap;
			// Awaited before any newer event id is written: a client that does not learn of the gap comes back with the old
			// one.
			if (gap) await holder.ongap?.();
			if (!holder.begin(attached, options.prime, connection === this.#outages))
				this.#background(() => this.#leave(holder));
			else if (holder.paused) this.#restoreSoon(holder);
			const continuation = options.lastEventId === undefined ? 'fresh' : 'resumed';
			return { continuation, detach: () => void this.#background(() => this.#leave(holder)) };
		} catch (error) {
			holder.writer.release();
			this.#background(() => this.#drop(holder));
			// The stream was taken, but nothing was delivered.
			if (attached?.outcome === 'taken') {
				const start = startOf(attached);
				await this.#background(() => this.detach(id, holder.token, start));
			}
			throw error;
		}
	}

	/**
	 * Returns the holder of this node to which the stream was written before `holder`. It goes on until the store says
	 * that the stream was taken, and as ever where the store does not.
	 */
	#formerOf(holder: BrokerHolder): BrokerHolder | undefined {
		const holders = this.#holders.get(holder.id) ?? [];
		return holders.length > 1 ? holders.findLast(({ began }) => began) : undefined;
	}

	async #listen(address: string, listener: Listener): Promise<StreamAttachment> {
		if (this.#stopTick === undefined) this.#tick();
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

	#offer(holder: BrokerHolder, history: 'own' | 'broadcasts', event: BrokerEvent): void {
		if (holder.offer(history, event)) return;
		if (holder.over) this.#end(holder);
		else this.#background(() => this.#leave(holder));
	}

	/** The stream belongs to another holder, or to nobody any more. */
	#end(holder: BrokerHolder): void {
		holder.writer.end();
		this.#background(() => this.#drop(holder));
	}

	/** The client is gone; the stream continues. */
	async #leave(holder: BrokerHolder): Promise<void> {
		holder.writer.release();
		try {
			// Released before unsubscribing: otherwise an event in between would find no subscriber, or count as delivered.
			if (this.#forget(holder)) await this.#release(holder);
		} finally {
			await this.#releaseChannels(holder);
		}
	}

	async #release({ id, token, position: { own, broadcasts } }: BrokerHolder): Promise<void> {
		if (own !== undefined && broadcasts !== undefined) await this.detach(id, token, { own, broadcasts });
	}

	#holds(holder: BrokerHolder): boolean {
		return this.#holders.get(holder.id)?.includes(holder) ?? false;
	}

	/**
	 * This process was stopped for a while, or its loop was blocked. What it hears now is old: others may have taken
	 * its streams, and said so behind what waits to be read. So nothing is handed over before the store has said whose
	 * each stream is.
	 */
	#stalled(): void {
		this.#tickedAt = this.clock.monotonic();
		if (this.#isInterrupted) return;
		this.interrupted();
		this.restored();
	}

	#tick(): void {
		this.#tickedAt = this.clock.monotonic();
		this.#stopTick ??= this.clock.after(TICK_MS, () => {
			this.#stopTick = undefined;
			if (this.clock.monotonic() - this.#tickedAt > STALL_MS) this.#stalled();
			if (this.#holders.size > 0 || !this.#listeners.isEmpty) this.#tick();
			else this.#tickedAt = Number.POSITIVE_INFINITY;
		});
	}

	#add(holder: BrokerHolder): void {
		if (this.#stopTick === undefined) this.#tick();
		this.#holders.set(holder.id, [...(this.#holders.get(holder.id) ?? []), holder]);
	}

	/** Removes a holder. Returns `false` when it was removed before. */
	#forget(holder: BrokerHolder): boolean {
		const holders = this.#holders.get(holder.id);
		if (!holders?.includes(holder)) return false;
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

	async #drop(holder: BrokerHolder): Promise<void> {
		this.#forget(holder);
		await this.#releaseChannels(holder);
	}

	/**
	 * Subscribes to `channel` for `holder`. The channel is recorded only once it is subscribed, so that it is released
	 * only once.
	 */
	async #acquireChannel(holder: BrokerHolder, channel: string): Promise<void> {
		await this.#channels.acquire(channel);
		if (this.#holds(holder)) holder.channels = channel === BROADCAST_CHANNEL ? 2 : 1;
		else await this.#channels.release(channel);
	}

	/**
	 * Identifies the current connection, or `undefined` during an outage: what is read on it is followed by every later
	 * message.
	 */
	get #connection(): number | undefined {
		return this.#isInterrupted ? undefined : this.#outages;
	}

	#assertOpen(): void {
		if (this.#closed) throw new SessionManagerError('closed', 'The stream session manager is closed.');
	}

	/** Runs what nobody else looks after, or hears of. A throw or a rejection is reported. */
	#background(work: () => MaybePromise<unknown>): MaybePromise<unknown> {
		try {
			const done = work();
			return isThenable(done) ? Promise.resolve(done).catch((error: unknown) => this.#report(error)) : done;
		} catch (error) {
			this.#report(error);
		}
	}

	#report(error: unknown): void {
		try {
			this.onerror?.(toError(error));
		} catch {
			// Losing the store never ends the process, nor does a handler that fails.
		}
	}
}

/**
 * Of any other epoch, every event id would be unreadable, and every resume a gap. Without an order, a holder would
 * never learn that it has been superseded.
 */
function assertUsable(attached: BrokerAttached): void {
	if (!Number.isSafeInteger(attached.order))
		throw new TypeError(`The order of a holder must be a safe integer, not ${attached.order}.`);
	for (const { epoch } of [attached.own, attached.broadcasts]) {
		if (!isEpoch(epoch))
			throw new TypeError(`An epoch must be 1 to 32 letters and digits, not ${JSON.stringify(epoch)}.`);
	}
}

/** Returns the position after event `lastEventId`; where it names none, the beginning of a request stream. */
function readPosition(lastEventId: string, name: string): BrokerPosition | undefined {
	return parsePosition(lastEventId, name) ?? (name === '' ? undefined : { own: NOWHERE, broadcasts: NOWHERE });
}

/** Returns what is left for a new holder where the former one of this node was written everything up to a position. */
function withoutWritten(attached: BrokerAttached, { own, broadcasts }: Partial<BrokerPosition>): BrokerAttached {
	const rest = (slice: HistorySlice, written = NOWHERE) =>
		slice.epoch === written.epoch ? sliceAfter(slice, written) : slice;
	return { ...attached, own: rest(attached.own, own), broadcasts: rest(attached.broadcasts, broadcasts) };
}

/** Returns where a holder begins that was written nothing. Nobody was told of a gap: the position has one itself. */
function startOf({ own, broadcasts }: BrokerAttached): BrokerPosition {
	const epoch = own.gap || broadcasts.gap ? FOREIGN.epoch : own.epoch;
	return {
		own: { epoch, offset: own.start },
		broadcasts: { epoch: broadcasts.epoch, offset: broadcasts.start },
	};
}
