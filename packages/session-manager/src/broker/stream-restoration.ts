import type { Clock } from '../contract/clock.js';
import { isThenable, type MaybePromise, whenReady } from '../contract/maybe-promise.js';
import { isSessionStream } from '../contract/stream-id.js';
import type { Background } from './background.js';
import type { BroadcastTurns } from './broadcast-turns.js';
import type { BrokerHolder, Lost } from './broker-holder.js';
import type { BrokerHooks } from './broker-hooks.js';
import { BROADCAST_CHANNEL } from './broker-message.js';
import {
	assertUsable,
	type BrokerAttached,
	type HistorySlice,
	NOWHERE,
	type StreamPosition,
	sliceAfter,
} from './broker-position.js';
import type { ChannelSubscriptions } from './channel-subscriptions.js';
import type { LocalHolders } from './local-holders.js';

/** How long to wait before trying again to restore a stream, in milliseconds. */
const RETRY_MS = 250;
/**
 * How many streams are restored concurrently, so that a broker that has just come back is not flooded with requests.
 */
const RESTORED_AT_ONCE = 25;

/** Holds streams back while channels that they need are lost, and then reads what their clients missed. */
export class StreamRestoration {
	readonly #channels: ChannelSubscriptions;
	readonly #holders: LocalHolders;
	readonly #broadcasts: BroadcastTurns;
	readonly #background: Background;
	readonly #clock: Clock;
	readonly #hooks: Pick<BrokerHooks, 'attach' | 'readBroadcasts'>;
	/** The broadcasts that streams missed, read once for all that are restored after the same outage. */
	#missed: { readonly from: number; readonly slice: MaybePromise<HistorySlice> } | undefined;
	/** The streams that wait to be restored, and how many are being restored. */
	readonly #waiting = new Set<BrokerHolder>();
	#restorers = 0;

	constructor(
		channels: ChannelSubscriptions,
		holders: LocalHolders,
		broadcasts: BroadcastTurns,
		background: Background,
		clock: Clock,
		hooks: Pick<BrokerHooks, 'attach' | 'readBroadcasts'>,
	) {
		this.#channels = channels;
		this.#holders = holders;
		this.#broadcasts = broadcasts;
		this.#background = background;
		this.#clock = clock;
		this.#hooks = hooks;
	}

	/** Messages of `channels` may be missed from now on; without any named, those of all. */
	interrupted(channels?: readonly string[]): void {
		this.#channels.lose(channels);
		// Whom they have not reached reads them from history, where others may be in their places by then.
		if (this.#channels.isLost(BROADCAST_CHANNEL)) this.#broadcasts.clear();
		for (const holder of this.#hearing(channels)) this.admit(holder);
	}

	/** `channels` are subscribed again; without any named, all are. */
	restored(channels?: readonly string[]): void {
		this.#channels.regain(channels);
		// What is being read was kept before the last event that was missed.
		this.#missed = undefined;
		for (const holder of this.#hearing(channels)) if (holder.lost !== undefined) this.restoreSoon(holder);
	}

	/**
	 * Nothing that is heard from now on is handed over before the store has said whose each stream is. Returns `false`
	 * where all are lost anyhow.
	 */
	distrust(): boolean {
		if (this.#channels.areAllLost) return false;
		this.#broadcasts.clear();
		for (const holder of this.#hearing()) this.restoreSoon(holder);
		return true;
	}

	/** Tells a holder which of its channels are lost. */
	admit(holder: BrokerHolder): void {
		holder.lose(this.#lostOf(holder));
	}

	/** Restores a stream, as far as its channels are not lost, once others of this node are. */
	restoreSoon(holder: BrokerHolder): void {
		const lost = this.#lostOf(holder);
		if (lost === 'both') return;
		holder.pause(lost);
		this.#waiting.add(holder);
		if (this.#restorers >= RESTORED_AT_ONCE) return;
		this.#restorers++;
		this.#background.run(() => this.#restoreNext());
	}

	async #restoreNext(): Promise<void> {
		// The iteration also reaches holders that are added meanwhile.
		for (const holder of this.#waiting) {
			this.#waiting.delete(holder);
			await this.#restoreHolder(holder);
		}
		this.#restorers--;
		if (this.#restorers === 0) this.#missed = undefined;
	}

	/** Reads what a paused holder missed and resumes it; repeats if more was missed meanwhile. */
	async #restoreHolder(holder: BrokerHolder): Promise<void> {
		if (holder.restoring) return;
		holder.restoring = true;
		try {
			while (holder.paused && holder.writer.open) {
				const { pauses, lost } = holder;
				if (lost === 'both') return;
				const kept =
					lost === 'own' ? undefined : await this.#hooks.attach(holder.id, holder.token, holder.position, true);
				if (kept !== undefined && kept.outcome !== 'taken') {
					// The store may have dropped the end before it was written here, and the stream with it.
					if (kept.outcome === 'ended') holder.flush();
					return this.#holders.end(holder);
				}
				const missed = { ...kept, broadcasts: await this.#broadcastsFor(holder, lost, kept) };
				assertUsable(missed);
				if (missed.own?.gap || missed.broadcasts?.gap) await holder.ongap?.();
				if (holder.resume(missed, pauses === holder.pauses)) continue;
				if (holder.over) return this.#holders.end(holder);
				// A client that left meanwhile had released its stream before it was taken again.
				if (!this.#holders.has(holder)) return await this.#holders.release(holder);
				return await this.#holders.leave(holder);
			}
		} catch (error) {
			this.#background.report(error);
			if (holder.writer.open) this.#clock.after(RETRY_MS, () => holder.paused && this.restoreSoon(holder));
		} finally {
			holder.restoring = false;
		}
	}

	/**
	 * Returns the broadcasts that a paused holder missed; for a request stream, what the store returned in their place.
	 * All are read at once, from the oldest position that one needs.
	 */
	#broadcastsFor(
		{ id, position }: BrokerHolder,
		lost: Lost,
		kept: BrokerAttached | undefined,
	): MaybePromise<HistorySlice | undefined> {
		if (!isSessionStream(id)) return kept?.broadcasts;
		if (lost === 'broadcasts') return undefined;
		const own = position.broadcasts ?? NOWHERE;
		let missed = this.#missed;
		if (missed === undefined || missed.from > own.offset) {
			const from = this.#oldestMissed(own);
			const slice = this.#hooks.readBroadcasts(from);
			missed = { from: from.offset, slice };
			this.#missed = missed;
			const forget = () => {
				if (this.#missed?.slice === slice) this.#missed = undefined;
			};
			if (isThenable(slice)) slice.then(undefined, forget);
		}
		return whenReady(missed.slice, (slice) => sliceAfter(slice, own));
	}

	/** Returns which histories of a holder are lost. */
	#lostOf({ id }: BrokerHolder): Lost {
		const isOwnLost = this.#channels.isLost(id);
		if (isSessionStream(id) && isOwnLost !== this.#channels.isLost(BROADCAST_CHANNEL))
			return isOwnLost ? 'own' : 'broadcasts';
		return isOwnLost ? 'both' : undefined;
	}

	/** Yields the holders that need one of `channels`; without any named, all. */
	*#hearing(channels?: readonly string[]): Generator<BrokerHolder, void> {
		if (channels === undefined || channels.includes(BROADCAST_CHANNEL)) {
			for (const [id, holders] of this.#holders.all) if (channels === undefined || isSessionStream(id)) yield* holders;
		}
		for (const channel of channels ?? []) yield* this.#holders.of(channel);
	}

	#oldestMissed(position: StreamPosition): StreamPosition {
		let oldest = position;
		for (const [id, holders] of this.#holders.all) {
			if (!isSessionStream(id)) continue;
			for (const holder of holders) {
				const own = holder.position.broadcasts;
				if (own !== undefined && holder.paused && own.offset < oldest.offset) oldest = own;
			}
		}
		return oldest;
	}
}
