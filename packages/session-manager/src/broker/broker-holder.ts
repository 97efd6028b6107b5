import { Buffer } from 'node:buffer';
import { endsStream } from '../contract/end-of-stream.js';
import { formatEventId, markEnd, markPosition } from '../contract/event-id.js';
import type { MaybePromise } from '../contract/maybe-promise.js';
import { parseStreamId } from '../contract/stream-id.js';
import type { StreamController, StreamCreateOptions } from '../contract/stream-session-manager.js';
import { BoundedWriter } from '../stream/bounded-writer.js';
import { MAX_QUEUED } from '../stream/max-queued.js';
import {
	type BrokerAttached,
	type BrokerEvent,
	type BrokerPosition,
	type BrokerSlices,
	formatStreamPosition,
	type HistorySlice,
	type StreamPosition,
} from './broker-position.js';

/** An event that arrived while history was read. */
interface LiveEvent {
	readonly history: keyof BrokerPosition;
	readonly event: BrokerEvent;
}

const nothing: HistorySlice = Object.freeze({ epoch: '', start: 0, events: [], gap: false });

/** That somebody took the stream while history was read. */
interface Takeover {
	order: number;
}

/** The histories of a stream whose channels are lost; `both` where nothing of the stream is heard. */
export type Lost = keyof BrokerPosition | 'both' | undefined;

/** In the place of a queue while a channel is lost and nothing is read: what is missed is read when that is over. */
const UNREAD: never[] = [];

/** A client that holds, or is about to hold, a stream on this node. It keeps events in order and writes none twice. */
export class BrokerHolder {
	readonly id: string;
	readonly token: string;
	readonly writer: BoundedWriter;
	readonly ongap: (() => MaybePromise<void>) | undefined;
	/** How many channels are subscribed for this holder: that of its stream, and then that of the broadcasts. */
	channels: 0 | 1 | 2 = 0;
	/** Whether missed events are being read. */
	restoring = false;
	/** Whether the last event of the stream was written. */
	over = false;
	readonly #name: string;
	readonly #withHistory: boolean;
	#own: StreamPosition | undefined;
	/** How the id line of an event begins: up to the position in the broadcasts. It is written with the first event. */
	#idStart: string | undefined;
	#broadcasts: StreamPosition | undefined;
	/** When this holder took the stream; not known before the store has said so. */
	#order = 0;
	/** What arrived while history was read; `undefined` while events are written directly. */
	#queue: (LiveEvent | Takeover)[] | undefined = [];
	#lost: Lost;
	#pauses = 0;

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

	/** The position up to which the client got everything; empty before the stream began. */
	get position(): Partial<BrokerPosition> {
		return { ...(this.#own && { own: this.#own }), ...(this.#broadcasts && { broadcasts: this.#broadcasts }) };
	}

	/** Whether the stream began for this client. */
	get began(): boolean {
		return this.#own !== undefined;
	}

	/** Whether live events are queued, after the stream began, until it is known what was missed before them. */
	get paused(): boolean {
		return this.#queue !== undefined && this.#queue !== UNREAD && this.#own !== undefined;
	}

	/** The histories of which events may be missed now. */
	get lost(): Lost {
		return this.#lost;
	}

	/** How often the holder was paused: what was read before that is not all that it missed. */
	get pauses(): number {
		return this.#pauses;
	}

	/**
	 * The stream was taken by whoever has this order. Returns `true` when that is a newer holder, later events are not
	 * for this client, and everything before was already written; otherwise what is queued before it is written first.
	 */
	taken(order: number): boolean {
		if (this.#queue === undefined || this.#queue === UNREAD) return order > this.#order;
		// Of those without an event in between only the newest matters, so there are no more of them than of events.
		const last = this.#queue.at(-1);
		if (last !== undefined && 'order' in last) last.order = Math.max(last.order, order);
		else this.#queue.push({ order });
		return false;
	}

	/** Returns whether a newer holder was given all that this client was not written yet. */
	isFollowedBy({ order, own, broadcasts }: BrokerAttached): boolean {
		return order > this.#order && isReached(this.#own, own) && isReached(this.#broadcasts, broadcasts);
	}

	/**
	 * Events of the histories that are lost may be missed from now on. They are not written until {@link resume}, those
	 * of the other history are.
	 */
	lose(lost: Lost): void {
		this.#lost = lost;
		if (lost !== undefined) this.#queue ??= this.#withheld;
	}

	/** Queues events until {@link resume}, while what was missed is read of the histories that are not lost. */
	pause(lost: Lost): void {
		this.#lost = lost;
		this.#pauses++;
		if (this.#queue === undefined || this.#queue === UNREAD) this.#queue = [];
	}

	/**
	 * Writes the prime, replays, and lets live events through. Stays paused when events may have been missed since
	 * `attached` was read (`live` is `false`). Returns `false` when the stream has ended or the client is gone.
	 */
	begin(attached: BrokerAttached, prime: string | undefined, live: boolean): boolean {
		this.#moveTo(attached);
		if (prime !== undefined) {
			const text = this.#textOf(prime, this.token.replaceAll('_', '.'));
			this.writer.replayText(text, Buffer.byteLength(text));
		}
		return this.#replay(attached, live);
	}

	/**
	 * Continues after {@link pause} with the events that were missed, of the histories that were read. Stays paused when
	 * more may have been missed (`live` is `false`). Returns `false` when the stream has ended or the client is gone.
	 */
	resume(missed: BrokerSlices, live: boolean): boolean {
		this.#moveTo(missed);
		return this.#replay(missed, live);
	}

	/** Writes what is queued: the store knows nothing of the stream any more. */
	flush(): void {
		const { events } = this.#queued();
		this.#queue = undefined;
		for (const { history, event } of events) if (!this.#deliver(history, event)) return;
	}

	/** Writes an event, or queues it. Returns `false` after the last event of the stream, or when the client is gone. */
	offer(history: keyof BrokerPosition, event: BrokerEvent): boolean {
		if (this.#queue === undefined) return this.#deliver(history, event);
		if (this.#queue === UNREAD) return this.#isLost(history) || this.#deliver(history, event);
		if (this.#queue.length >= MAX_QUEUED) {
			this.writer.end();
			return false;
		}
		this.#queue.push({ history, event });
		return true;
	}

	/**
	 * Where events go while a channel is lost. The store may forget a request stream with its end, which may be heard
	 * before it is known that the channel is back: that is written from the queue then.
	 */
	get #withheld(): LiveEvent[] {
		return this.#name === '' ? UNREAD : [];
	}

	#isLost(history: keyof BrokerPosition): boolean {
		return this.#lost === history || this.#lost === 'both';
	}

	#replay({ own = nothing, broadcasts = nothing }: BrokerSlices, live: boolean): boolean {
		const { events: queued, isSuperseded } = this.#queued();
		const newest = { own: own.events.at(-1)?.offset ?? 0, broadcasts: broadcasts.events.at(-1)?.offset ?? 0 };
		// The store may have dropped what is queued here and older than what it still has.
		const dropped = queued.filter(({ history, event }) => event.offset < newest[history]);
		const events = dropped.length === 0 ? merged(own, broadcasts) : withDropped(own, broadcasts, dropped);
		for (const { history, event, replayed } of events) if (!this.#deliver(history, event, replayed)) return false;
		if (!live) return this.writer.open;
		this.#queue = this.#lost === undefined ? undefined : this.#withheld;
		for (const { history, event } of queued) if (!this.offer(history, event)) return false;
		if (isSuperseded) this.writer.end();
		return this.writer.open;
	}

	/** Returns the events that are queued for this client, and whether a newer holder has taken the stream after them. */
	#queued(): { readonly events: readonly LiveEvent[]; readonly isSuperseded: boolean } {
		const events: LiveEvent[] = [];
		for (const queued of this.#queue ?? []) {
			if ('event' in queued) events.push(queued);
			else if (queued.order > this.#order) return { events, isSuperseded: true };
		}
		return { events, isSuperseded: false };
	}

	#deliver(history: keyof BrokerPosition, event: BrokerEvent, replayed = false): boolean {
		const position = history === 'own' ? this.#own : this.#broadcasts;
		if (position === undefined || event.offset <= position.offset) return this.writer.open;
		const { epoch } = position;
		const { offset } = event;
		this.#move(history, history === 'own' ? { epoch, offset } : positionAt(epoch, offset));
		const text = this.#textOf(event.data);
		// Positions are ASCII; a name need not be.
		const bytes = this.#name === '' ? text.length - event.data.length + bytesOf(event.data) : Buffer.byteLength(text);
		if (!(replayed ? this.writer.replayText(text, bytes) : this.writer.writeText(text, bytes))) {
			this.#move(history, position);
			return false;
		}
		if (this.#name === '' || !endsStream(event.data)) return true;
		this.over = true;
		this.writer.end();
		return false;
	}

	#moveTo({ order, own, broadcasts }: BrokerSlices): void {
		if (order !== undefined) this.#order = order;
		if (own !== undefined) this.#move('own', { epoch: own.epoch, offset: own.start });
		if (broadcasts !== undefined) this.#move('broadcasts', positionAt(broadcasts.epoch, broadcasts.start));
	}

	#move(history: keyof BrokerPosition, position: StreamPosition): void {
		if (history === 'broadcasts') this.#broadcasts = position;
		else {
			this.#own = position;
			this.#idStart = undefined;
		}
	}

	/** `mark` makes the id unique of an event at the same position as the previous one. */
	#textOf(data: string, mark?: string): string {
		if (!this.#withHistory || this.#own === undefined || this.#broadcasts === undefined) return data;
		// Joined, it is one text; added up, each of its pieces would be kept.
		this.#idStart ??= ['id: ', formatStreamPosition(this.#own), '-'].join('');
		if (mark === undefined && this.#name === '') return this.#idStart + textAfter(this.#broadcasts, data);
		let position = this.#idStart + formatStreamPosition(this.#broadcasts);
		if (mark !== undefined) position = markPosition(position, mark);
		else if (endsStream(data)) position = markEnd(position);
		return `${formatEventId(position, this.#name)}\n${data}`;
	}
}

/** Returns whether a slice begins at a position, or before it. Nothing follows a position of another epoch. */
function isReached(position: StreamPosition | undefined, { epoch, start }: HistorySlice): boolean {
	return position !== undefined && (position.epoch !== epoch || start <= position.offset);
}

// Every stream of a node writes the same for a broadcast but for where it is in its own history. What they share is
// made once.

let shared = { position: { epoch: '', offset: 0 }, data: '', bytes: 0, text: '' };
let last: StreamPosition = shared.position;

/** Returns a position in the broadcasts; the same object for all who are there. */
function positionAt(epoch: string, offset: number): StreamPosition {
	if (last.offset !== offset || last.epoch !== epoch) last = { epoch, offset };
	return last;
}

/** Returns how an event of a session stream goes on after the position in its own history. */
function textAfter(broadcasts: StreamPosition, data: string): string {
	if (shared.position === broadcasts && shared.data === data) return shared.text;
	const text = `${formatStreamPosition(broadcasts)}\n${data}`;
	shared = { position: broadcasts, data, bytes: Buffer.byteLength(data), text };
	return text;
}

function bytesOf(data: string): number {
	return shared.data === data ? shared.bytes : Buffer.byteLength(data);
}

/** An event to write, and the history it is of; `replayed` where the store returned it. */
interface Missed extends LiveEvent {
	readonly replayed: boolean;
}

/** Yields the events of both slices, oldest first. */
function* merged(own: HistorySlice, broadcasts: HistorySlice): Generator<Missed, void> {
	let next = 0;
	for (const event of broadcasts.events) {
		for (let mine = own.events[next]; mine && mine.offset <= event.offset; mine = own.events[++next])
			yield { history: 'own', event: mine, replayed: true };
		yield { history: 'broadcasts', event, replayed: true };
	}
	for (const event of own.events.slice(next)) yield { history: 'own', event, replayed: true };
}

/** Returns the events of both slices and those that the store has dropped, oldest first. */
function withDropped(own: HistorySlice, broadcasts: HistorySlice, dropped: readonly LiveEvent[]): Missed[] {
	const queued = dropped.map(({ history, event }) => ({ history, event, replayed: false }));
	return [...merged(own, broadcasts), ...queued].sort((a, b) => a.event.offset - b.event.offset);
}
