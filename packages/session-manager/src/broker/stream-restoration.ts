import type { Clock } from '../contract/clock.js';
import { isThenable, type MaybePromise, whenReady } from '../contract/maybe-promise.js';
import { isSessionStream } from '../contract/stream-id.js';
import type { Background } from './background.js';
import type { BrokerHolder } from './broker-holder.js';
import type { BrokerHooks } from './broker-hooks.js';
import { assertUsable, type HistorySlice, NOWHERE, type StreamPosition, sliceAfter } from './broker-position.js';
import type { LocalHolders } from './local-holders.js';

/** How long to wait before trying again to restore a stream, in milliseconds. */
const RETRY_MS = 250;
/**
 * How many streams are restored concurrently, so that a broker that has just come back is not flooded with requests.
 */
const RESTORED_AT_ONCE = 25;

/** Pauses streams while the broker is lost, and then reads what their clients missed. */
export class StreamRestoration {
	readonly #holders: LocalHolders;
	readonly #background: Background;
	readonly #clock: Clock;
	readonly #hooks: Pick<BrokerHooks, 'attach' | 'readBroadcasts'>;
	/** How often the broker was lost, and whether it is now. */
	#outages = 0;
	#isInterrupted = false;
	/** The broadcasts that streams missed, read once for all that are restored. */
	#missed:
		| { readonly connection: number; readonly from: number; readonly slice: MaybePromise<HistorySlice> }
		| undefined;
	/** The streams that wait to be restored, and how many are being restored. */
	readonly #waiting = new Set<BrokerHolder>();
	#restorers = 0;

	constructor(
		holders: LocalHolders,
		background: Background,
		clock: Clock,
		hooks: Pick<BrokerHooks, 'attach' | 'readBroadcasts'>,
	) {
		this.#holders = holders;
		this.#background = background;
		this.#clock = clock;
		this.#hooks = hooks;
	}

	/** Whether the broker is lost. */
	get isInterrupted(): boolean {
		return this.#isInterrupted;
	}

	/**
	 * Identifies the current connection, or `undefined` during an outage: what is read on it is followed by every later
	 * message.
	 */
	get connection(): number | undefined {
		return this.#isInterrupted ? undefined : this.#outages;
	}

	/** Returns whether no message was missed since {@link connection} was read. */
	isWhole(connection: number | undefined): boolean {
		return connection === this.#outages;
	}

	/** Pauses every stream: messages may be missed from now on. */
	interrupt(): void {
		this.#outages++;
		this.#isInterrupted = true;
		for (const holders of this.#holders.all.values()) for (const holder of holders) holder.pause();
	}

	/** Restores every stream: the broker is heard again. */
	restore(): void {
		this.#isInterrupted = false;
		for (const holders of this.#holders.all.values()) for (const holder of holders) this.restoreSoon(holder);
	}

	/** Restores a stream once others of this node are. */
	restoreSoon(holder: BrokerHolder): void {
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

	/** Reads what a paused holder missed and resumes it; repeats if the connection is lost meanwhile. */
	async #restoreHolder(holder: BrokerHolder): Promise<void> {
		if (holder.restoring) return;
		holder.restoring = true;
		try {
			while (holder.paused && holder.writer.open && !this.#isInterrupted) {
				const connection = this.#outages;
				const kept = await this.#hooks.attach(holder.id, holder.token, holder.position, true);
				// The store may have dropped the end before it was written here, and the stream with it.
				if (kept.outcome === 'ended') holder.flush();
				if (kept.outcome !== 'taken') return this.#holders.end(holder);
				const attached = isSessionStream(holder.id)
					? { ...kept, broadcasts: await this.#missedBroadcasts(connection, holder) }
					: kept;
				assertUsable(attached);
				if (attached.own.gap || attached.broadcasts.gap) await holder.ongap?.();
				if (holder.resume(attached, this.isWhole(connection))) continue;
				if (holder.over) return this.#holders.end(holder);
				// A client that left meanwhile had released its stream before it was taken again.
				if (!this.#holders.has(holder)) return await this.#holders.release(holder);
				return await this.#holders.leave(holder);
			}
		} catch (error) {
			this.#background.report(error);
			if (holder.writer.open) this.#clock.after(RETRY_MS, () => this.restoreSoon(holder));
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
			const slice = this.#hooks.readBroadcasts(from);
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
