import { formatEventId, markPosition } from './event-id.js';
import { HeldStream } from './held-stream.js';
import type { MaybePromise } from './maybe-promise.js';
import {
	formatLogPosition,
	type LogPosition,
	type LogSlice,
	type RelayAttached,
	type RelayEvent,
	type RelayPosition,
} from './relay-position.js';
import { parseStreamId } from './stream-id.js';
import { END_OF_STREAM, type StreamController, type StreamCreateOptions } from './stream-session-manager.js';

/** Live events kept while history is read; a client that needs more is told to resume. */
const MAX_QUEUED = 10_000;

const encoder = new TextEncoder();
const endMark = `\n${END_OF_STREAM}\n\n`;

/** A client that holds, or is about to hold, a relayed stream on this node. It keeps order and lets nothing through twice. */
export class RelayHolder {
	readonly id: string;
	readonly token: string;
	readonly held: HeldStream;
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
	#own: LogPosition | undefined;
	/** {@link #own} as event ids have it. */
	#ownText = '';
	#broadcasts: LogPosition | undefined;
	/** Live events that came while history was read; `undefined` while events go straight through. */
	#queue: { readonly log: keyof RelayPosition; readonly event: RelayEvent }[] | undefined = [];
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
		this.held = new HeldStream(controller, maxBufferedBytes);
		this.ongap = options.ongap;
		this.#name = parseStreamId(id).name;
		this.#withHistory = options.history ?? true;
	}

	/** Up to where the client was handed everything; empty before the stream began. */
	get position(): Partial<RelayPosition> {
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
	begin(attached: RelayAttached, prime: string | undefined, live: boolean): boolean {
		this.#moveTo(attached);
		if (prime !== undefined) this.held.pushUnbounded(this.#encode(prime, this.token.replaceAll('_', '.')));
		return this.#replay(attached, live);
	}

	/**
	 * Goes on after {@link pause} with what was missed; stays paused where more may have been (`live` is `false`). `false` when
	 * the stream ended or the client is gone meanwhile.
	 */
	resume(attached: RelayAttached, live: boolean): boolean {
		// The store says that the stream is ours; what others took before that is past.
		this.#awaitsTakeover = false;
		this.#moveTo(attached);
		return this.#replay(attached, live);
	}

	/** Hands over an event, or queues it. `false` when that was the last one, or the client is gone. */
	offer(log: keyof RelayPosition, event: RelayEvent): boolean {
		if (this.#queue === undefined) return this.#deliver(log, event);
		if (this.#superseded) return true;
		if (this.#queue.length >= MAX_QUEUED) {
			this.held.end();
			return false;
		}
		this.#queue.push({ log, event });
		return true;
	}

	#replay({ own, broadcasts }: RelayAttached, live: boolean): boolean {
		const missed = [
			...own.events.map((event) => ({ log: 'own' as const, event })),
			...broadcasts.events.map((event) => ({ log: 'broadcasts' as const, event })),
		].sort((a, b) => a.event.offset - b.event.offset);
		for (const { log, event } of missed) if (!this.#deliver(log, event, true)) return false;
		if (!live) return this.held.open;
		const queued = this.#queue ?? [];
		this.#queue = undefined;
		for (const { log, event } of queued) if (!this.#deliver(log, event)) return false;
		if (this.#superseded) this.held.end();
		return this.held.open;
	}

	#deliver(log: keyof RelayPosition, event: RelayEvent, replayed = false): boolean {
		const position = log === 'own' ? this.#own : this.#broadcasts;
		if (position === undefined || event.offset <= position.offset) return this.held.open;
		this.#move(log, { epoch: position.epoch, offset: event.offset });
		const chunk = this.#encode(event.data);
		if (!(replayed ? this.held.pushUnbounded(chunk) : this.held.push(chunk))) {
			this.#move(log, position);
			return false;
		}
		if (this.#name === '' || !`\n${event.data}`.endsWith(endMark)) return true;
		this.over = true;
		this.held.end();
		return false;
	}

	#moveTo({ own, broadcasts }: RelayAttached): void {
		this.#move('own', startOf(own));
		this.#move('broadcasts', startOf(broadcasts));
	}

	#move(log: keyof RelayPosition, position: LogPosition): void {
		if (log === 'broadcasts') this.#broadcasts = position;
		else {
			this.#own = position;
			this.#ownText = formatLogPosition(position);
		}
	}

	/** `mark` makes the id of an event its own that is at the same place as the one before it. */
	#encode(data: string, mark?: string): Uint8Array {
		if (!this.#withHistory || this.#own === undefined || this.#broadcasts === undefined) return encoder.encode(data);
		const position = `${this.#ownText}-${formatLogPosition(this.#broadcasts)}`;
		return encoder.encode(
			`id: ${formatEventId(mark === undefined ? position : markPosition(position, mark), this.#name)}\n${data}`,
		);
	}
}

function startOf({ epoch, start }: LogSlice): LogPosition {
	return { epoch, offset: start };
}
