import { endsStream } from '../contract/end-of-stream.js';
import { formatEventId, markPosition } from '../contract/event-id.js';
import type { MaybePromise } from '../contract/maybe-promise.js';
import { parseStreamId } from '../contract/stream-id.js';
import type { StreamController, StreamCreateOptions } from '../contract/stream-session-manager.js';
import { BoundedWriter } from '../stream/bounded-writer.js';
import {
	type BrokerAttached,
	type BrokerEvent,
	type BrokerPosition,
	formatStreamPosition,
	type HistorySlice,
	type StreamPosition,
} from './broker-position.js';

/** Live events kept while history is read; a client that needs more is told to resume. */
const MAX_QUEUED = 10_000;

const encoder = new TextEncoder();

/** A client that holds, or is about to hold, a relayed stream on this node. It keeps order and lets nothing through twice. */
export class BrokerHolder {
	readonly id: string;
	readonly token: string;
	readonly writer: BoundedWriter;
	readonly ongap: (() => MaybePromise<void>) | undefined;
	/** Channels that are heard for this holder. */
	readonly channels: string[] = [];
	/** Whether what was missed is being read. */
	restoring = false;
	/** Whether somebody else's takeover was heard of while {@link awaitsTakeover}: it may be older than our own, or newer. */
	contested = false;
	/** Whether the stream's last event was handed over. */
	over = false;
	readonly #name: string;
	readonly #withHistory: boolean;
	#own: StreamPosition | undefined;
	/** {@link #own} as event ids have it. */
	#ownText = '';
	#broadcasts: StreamPosition | undefined;
	/** Live events that came while history was read; `undefined` while events go straight through. */
	#queue: { readonly log: keyof BrokerPosition; readonly event: BrokerEvent }[] | undefined = [];
	#awaitsTakeover = true;
	/** Whether another has the stream since what is queued. */
	#superseded = false;

	constructor(
		id: string,
		token: string,
		controller: StreamController,
		options: StreamCreateOptions,
		maxBufferedBytes: number,
	) {
		this.id = id;
		this.token = token;
		this.writer = new BoundedWriter(controller, maxBufferedBytes);
		this.ongap = options.ongap;
		this.#name = parseStreamId(id).name;
		this.#withHistory = options.history ?? true;
	}

	/** Up to where the client was handed everything; empty before the stream began. */
	get position(): Partial<BrokerPosition> {
		return { ...(this.#own && { own: this.#own }), ...(this.#broadcasts && { broadcasts: this.#broadcasts }) };
	}

	get paused(): boolean {
		return this.#queue !== undefined && this.#own !== undefined;
	}

	/** Whether news of our own takeover is still on its way, so that news of others is older than it. */
	get awaitsTakeover(): boolean {
		return this.#awaitsTakeover;
	}

	/** The news of our own takeover arrived: whoever takes the stream from now on is newer. */
	takenOver(): void {
		this.#awaitsTakeover = false;
	}

	/**
	 * Another has taken the stream: what comes from now on is no longer for this client. `true` when it was handed all that came
	 * before; otherwise that follows, and the end after it.
	 */
	supersede(): boolean {
		this.#superseded = true;
		return this.#queue === undefined;
	}

	/** Holds events back until {@link resume}: some may be missed. */
	pause(): void {
		this.#queue ??= [];
	}

	/**
	 * Starts: primes, replays, and lets live events through, unless some may have been missed since `attached` was read (`live`
	 * is `false`): then it is paused. `false` when the stream ended or the client is gone meanwhile.
	 */
	begin(attached: BrokerAttached, prime: string | undefined, live: boolean): boolean {
		this.#moveTo(attached);
		if (prime !== undefined) this.writer.replay(this.#encode(prime, this.token.replaceAll('_', '.')));
		return this.#replay(attached, live);
	}

	/**
	 * Goes on after {@link pause} with what was missed; stays paused where more may have been (`live` is `false`). `false` when
	 * the stream ended or the client is gone meanwhile.
	 */
	resume(attached: BrokerAttached, live: boolean): boolean {
		// The store says that the stream is ours; what others took before that is past.
		this.#awaitsTakeover = false;
		this.#moveTo(attached);
		return this.#replay(attached, live);
	}

	/** Hands over an event, or queues it. `false` when that was the last one, or the client is gone. */
	offer(log: keyof BrokerPosition, event: BrokerEvent): boolean {
		if (this.#queue === undefined) return this.#deliver(log, event);
		if (this.#superseded) return true;
		if (this.#queue.length >= MAX_QUEUED) {
			this.writer.end();
			return false;
		}
		this.#queue.push({ log, event });
		return true;
	}

	#replay({ own, broadcasts }: BrokerAttached, live: boolean): boolean {
		const missed = [
			...own.events.map((event) => ({ log: 'own' as const, event })),
			...broadcasts.events.map((event) => ({ log: 'broadcasts' as const, event })),
		].sort((a, b) => a.event.offset - b.event.offset);
		for (const { log, event } of missed) if (!this.#deliver(log, event, true)) return false;
		if (!live) return this.writer.open;
		const queued = this.#queue ?? [];
		this.#queue = undefined;
		for (const { log, event } of queued) if (!this.#deliver(log, event)) return false;
		if (this.#superseded) this.writer.end();
		return this.writer.open;
	}

	#deliver(log: keyof BrokerPosition, event: BrokerEvent, replayed = false): boolean {
		const position = log === 'own' ? this.#own : this.#broadcasts;
		if (position === undefined || event.offset <= position.offset) return this.writer.open;
		this.#move(log, { epoch: position.epoch, offset: event.offset });
		const chunk = this.#encode(event.data);
		if (!(replayed ? this.writer.replay(chunk) : this.writer.write(chunk))) {
			this.#move(log, position);
			return false;
		}
		if (this.#name === '' || !endsStream(event.data)) return true;
		this.over = true;
		this.writer.end();
		return false;
	}

	#moveTo({ own, broadcasts }: BrokerAttached): void {
		this.#move('own', startOf(own));
		this.#move('broadcasts', startOf(broadcasts));
	}

	#move(log: keyof BrokerPosition, position: StreamPosition): void {
		if (log === 'broadcasts') this.#broadcasts = position;
		else {
			this.#own = position;
			this.#ownText = formatStreamPosition(position);
		}
	}

	/** `mark` makes the id of an event its own that is at the same place as the one before it. */
	#encode(data: string, mark?: string): Uint8Array {
		if (!this.#withHistory || this.#own === undefined || this.#broadcasts === undefined) return encoder.encode(data);
		const position = `${this.#ownText}-${formatStreamPosition(this.#broadcasts)}`;
		return encoder.encode(
			`id: ${formatEventId(mark === undefined ? position : markPosition(position, mark), this.#name)}\n${data}`,
		);
	}
}

function startOf({ epoch, start }: HistorySlice): StreamPosition {
	return { epoch, offset: start };
}
