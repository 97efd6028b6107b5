import { Buffer } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import type { Clock } from '../contract/clock.js';
import { endsStream } from '../contract/end-of-stream.js';
import {
	formatEventId,
	isAfterEnd,
	markEnd,
	markPosition,
	parseEventId,
	unmarkPosition,
} from '../contract/event-id.js';
import { lazy } from '../contract/lazy.js';
import { isThenable, type MaybePromise } from '../contract/maybe-promise.js';
import { SessionManagerError } from '../contract/session-manager-error.js';
import { isAddress, isSessionStream, parseStreamId } from '../contract/stream-id.js';
import {
	type StreamAttachment,
	type StreamContinuation,
	type StreamController,
	type StreamCreateOptions,
	StreamSessionManager,
} from '../contract/stream-session-manager.js';
import { systemClock } from '../contract/system-clock.js';
import { visitInTurns } from '../contract/visit-in-turns.js';
import { checkOptions, type OptionSchemas } from '../options/check-options.js';
import { AddressListeners } from '../stream/address-listeners.js';
import { BoundedWriter, DEFAULT_MAX_BUFFERED_BYTES } from '../stream/bounded-writer.js';
import { MAX_QUEUED } from '../stream/max-queued.js';
import { SlicedAppends, sessionStreams, TOLD_AT_ONCE } from '../stream/sliced-appends.js';
import { type HistoryEvent, type HistoryLimits, historyLimits, StreamHistory } from '../stream/stream-history.js';
import { inMemoryOptions } from './in-memory-options.js';
import { Holder, isIdle, SessionStreams, type Stream, type Waiting } from './session-streams.js';

/** Options of {@link InMemoryStreamSessionManager}. */
export interface InMemoryStreamSessionManagerOptions {
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

/** What an {@link InMemoryStreamSessionManager} currently holds. */
export interface InMemoryStreamStats {
	/** Streams that a client holds open. */
	readonly streams: number;
	/** Listeners of addresses. */
	readonly listeners: number;
	/** Sessions with an open stream or kept history. */
	readonly sessions: number;
	/** Events in the history. */
	readonly events: number;
}

const schemas: OptionSchemas<InMemoryStreamSessionManagerOptions> = inMemoryOptions;
const encoder = new TextEncoder();

/** The shortest time between two looks for sessions that have ended, in milliseconds. */
const MIN_EXPIRE_MS = 1_000;
/** The shortest time between two sweeps, in milliseconds. */
const MIN_SWEEP_MS = 100;
/** How many sessions, and how much of them, a sweep goes through in one turn of the event loop. */
const SWEPT_AT_ONCE = 2_000;

/**
 * Holds the streams of one process and keeps every promise that one node can: newest wins, order, resuming within the
 * retention, and bounded buffers. Event ids carry an epoch that is random for each manager, so resuming after a restart
 * is recognised as a gap.
 *
 * @example
 * ```ts source="../../test/examples/in-memory-stream-session-manager.examples.ts#options"
 * const streams = new InMemoryStreamSessionManager({
 * 	history: { maxEvents: 200, maxAgeMs: 60_000 },
 * 	maxBufferedBytes: 256 * 1024,
 * });
 * streams.onerror = report;
 * ```
 */
export class InMemoryStreamSessionManager extends StreamSessionManager {
	readonly #limits: HistoryLimits;
	readonly #maxBufferedBytes: number;
	readonly #clock: Clock;
	readonly #epoch = lazy(() => randomBytes(4).toString('hex'));
	readonly #sessions = new Map<string, SessionStreams>();
	/** When sessions end, on the monotonic clock. */
	readonly #ends = new Map<string, number>();
	readonly #listeners = new AddressListeners();
	readonly #sliced = new SlicedAppends(TOLD_AT_ONCE);
	readonly #broadcasts: StreamHistory;
	/** The newest broadcast that was dropped. */
	#broadcastFloor = 0;
	#offset = 0;
	#primes = 0;
	/** The newest event of any session that was removed. */
	#forgotten = 0;
	#stopSweep: (() => void) | undefined;
	/** The earliest of {@link #ends}, and its timer. */
	#nextEnd = Number.POSITIVE_INFINITY;
	#stopEnd: (() => void) | undefined;
	#isExpiring = false;
	#closed = false;
	/** One for all holders. */
	readonly #onleave = (stream: Stream, holder: Holder) => this.#leave(stream, holder);

	constructor(options: InMemoryStreamSessionManagerOptions = {}) {
		super();
		checkOptions('InMemoryStreamSessionManager', schemas, options);
		this.#limits = historyLimits(options.history);
		this.#maxBufferedBytes = options.maxBufferedBytes ?? DEFAULT_MAX_BUFFERED_BYTES;
		this.#clock = options.clock ?? systemClock;
		this.#broadcasts = new StreamHistory(this.#limits, (event) => {
			this.#broadcastFloor = event.offset;
		});
	}

	override get resumable(): boolean {
		return true;
	}

	/**
	 * Returns counts, for operators and for tests that look for leaks.
	 *
	 * @example
	 * ```ts source="../../test/examples/in-memory-stream-session-manager.examples.ts#stats"
	 * const { streams, events } = manager.stats();
	 * const line = `${streams} open streams, ${events} events in the history`;
	 * ```
	 */
	stats(): InMemoryStreamStats {
		let streams = 0;
		let events = this.#broadcasts.size;
		for (const session of this.#sessions.values()) {
			events += session.events;
			for (const stream of session.streams()) if (stream.holder?.writer.open) streams++;
		}
		const listeners = [...this.#listeners.all()].length;
		return { streams, listeners, sessions: this.#sessions.size, events };
	}

	override position(): string {
		this.#assertOpen();
		return this.#positionOf(this.#offset);
	}

	/** Returns a value, unless `ongap` is called and returns a promise. */
	create(id: string, controller: StreamController, options: StreamCreateOptions = {}): MaybePromise<StreamAttachment> {
		this.#assertOpen();
		const writer = new BoundedWriter(controller, this.#maxBufferedBytes);
		if (isAddress(id)) return this.#listen(id, writer);

		const { sessionId, name } = parseStreamId(id);
		if (isAfterEnd(options.lastEventId, name)) return { continuation: 'ended', detach() {} };
		const known = this.#sessions.get(sessionId);
		// Anybody can make up the name of a stream.
		if (name !== '' && options.lastEventId !== undefined && known?.find(name) === undefined)
			return { continuation: 'unknown', detach() {} };
		const session = known ?? this.#open(sessionId, this.#offset);
		const now = this.#clock.monotonic();
		const stream = session.open(name, now, this.#offset);
		session.expire(now);
		this.#broadcasts.expire(now);
		const start = this.#startOf(stream, name, options);
		if (start.continuation === 'ended') return { continuation: 'ended', detach() {} };

		const { continuation, gap } = start;
		const missed = this.#missed(session, stream, name, start.offset);
		const holder = new Holder(stream, writer, options.history ?? true, continuation, this.#onleave);
		if (gap) holder.waiting = { since: this.#offset, events: [] };
		const previous = stream.holder;
		stream.holder = holder;
		previous?.writer.end();

		// With nothing to replay, every dropped event has been reported already: resuming from here is not a gap.
		const place = missed.length === 0 ? this.#offset : start.offset;
		const begin = () => this.#begin(session, stream, name, holder, missed, place, options.prime);
		if (!gap) return begin();
		try {
			const told = options.ongap?.();
			if (!isThenable(told)) return begin();
			return Promise.resolve(told).then(begin, (error: unknown) => {
				holder.detach();
				throw error;
			});
		} catch (error) {
			holder.detach();
			throw error;
		}
	}

	/** Writes what the client of a new holder has not got yet, and lets events through. */
	#begin(
		session: SessionStreams,
		stream: Stream,
		name: string,
		holder: Holder,
		missed: readonly HistoryEvent[],
		place: number,
		prime: string | undefined,
	): StreamAttachment {
		const { writer, waiting } = holder;
		holder.waiting = undefined;
		// Another may have taken the stream meanwhile.
		if (stream.holder !== holder) return holder;
		stream.seen = true;
		if (prime !== undefined) {
			const text = this.#textOf(holder, place, name, prime, ++this.#primes);
			writer.replayText(text, Buffer.byteLength(text));
		}
		for (const event of missed) if (!this.#replay(stream, name, holder, event)) break;
		if (waiting !== undefined) this.#writeWaiting(session, stream, name, holder, waiting);
		if (stream.over) writer.end();
		if (!writer.open) this.#leave(stream, holder);
		// A loss is reported only once.
		else stream.delivered = this.#offset;
		return holder;
	}

	/** Writes what was sent while the client was told of a gap, whether the history still has it or not. */
	#writeWaiting(
		session: SessionStreams,
		stream: Stream,
		name: string,
		holder: Holder,
		{ since, events }: Waiting,
	): void {
		// A broadcast may be there before it has come to this stream.
		const kept = new Set(this.#missed(session, stream, name, since));
		for (const event of [...new Set([...events, ...kept])].sort((a, b) => a.offset - b.offset)) {
			const isWritten = kept.has(event)
				? this.#replay(stream, name, holder, event)
				: this.#write(stream, name, holder, event);
			if (!isWritten) return;
		}
	}

	/** Returns a value, unless the session is still to be told what was sent to many. */
	delete(id: string): MaybePromise<void> {
		this.#assertOpen();
		return this.#deleteInTurn(id);
	}

	has(id: string): boolean {
		this.#assertOpen();
		if (isAddress(id)) return this.#listeners.has(id);
		const { sessionId, name } = parseStreamId(id);
		const session = this.#sessions.get(sessionId);
		return session?.find(name)?.holder?.writer.open ?? false;
	}

	/** Returns a value, unless there are many streams to be told, or were before. */
	send(ids: readonly string[] | undefined, data: string): MaybePromise<void> {
		this.#assertOpen();
		if (this.#sliced.busy && (ids === undefined || ids.some(isSessionStream)))
			return this.#sliced.behind(() => this.send(ids, data));
		if (ids === undefined) return this.#broadcast(data);
		return this.#sliced.isMany(ids.length) ? this.#sendToMany(ids, data) : this.#sendAtOnce(ids, data);
	}

	override expireIn(id: string, ms: number): void {
		this.#assertOpen();
		const end = this.#clock.monotonic() + ms;
		this.#ends.set(id, end);
		if (end >= this.#nextEnd) return;
		this.#nextEnd = end;
		if (this.#isExpiring) return;
		this.#stopEnd?.();
		this.#stopEnd = this.#clock.after(ms, () => this.#expire());
	}

	override close(): void {
		this.#closed = true;
		this.#stopSweep?.();
		this.#stopEnd?.();
		this.#ends.clear();
		const sessions = [...this.#sessions.values()];
		this.#sessions.clear();
		this.#broadcasts.forget('');
		for (const session of sessions) for (const stream of session.streams()) stream.holder?.writer.end();
		this.#listeners.close();
	}

	/** What is still to be told the session would outlive it. */
	#deleteInTurn(id: string): MaybePromise<void> {
		if (!this.#sliced.busy || !isSessionStream(id)) return this.#delete(id);
		return this.#sliced.behind(() => this.#deleteInTurn(id));
	}

	#delete(id: string): void {
		if (isAddress(id)) {
			this.#listeners.end(id);
			return;
		}
		const { sessionId, name } = parseStreamId(id);
		if (name === '') this.#ends.delete(sessionId);
		const session = this.#sessions.get(sessionId);
		if (session === undefined) return;
		if (name === '') {
			this.#forget(sessionId, session);
			for (const stream of session.streams()) stream.holder?.writer.end();
		} else {
			const stream = session.find(name);
			session.forget(name);
			stream?.holder?.writer.end();
		}
	}

	#sendAtOnce(ids: readonly string[], data: string): void {
		const offset = ++this.#offset;
		for (const id of ids.length > 1 ? new Set(ids) : ids) this.#sendTo(id, offset, data);
	}

	#sendToMany(ids: readonly string[], data: string): MaybePromise<void> {
		// Responses do not wait behind slices, so nothing that goes on their streams may either.
		const others = ids.filter((id) => !isSessionStream(id));
		if (others.length > 0) this.#sendAtOnce(others, data);
		// The caller may change its array meanwhile.
		return this.#sliced.append(sessionStreams(ids.slice()), (some) => {
			this.#assertOpen();
			this.#sendAtOnce(some, data);
		});
	}

	#assertOpen(): void {
		if (this.#closed) throw new SessionManagerError('closed', 'The stream session manager is closed.');
	}

	#listen(address: string, writer: BoundedWriter): StreamAttachment {
		const listener = { writer };
		this.#listeners.add(address, listener);
		return {
			continuation: 'fresh',
			detach: () => {
				writer.release();
				this.#listeners.leave(address, listener);
			},
		};
	}

	#sendTo(id: string, offset: number, data: string): void {
		if (isAddress(id)) {
			this.#listeners.send(id, data);
			return;
		}
		const { sessionId, name } = parseStreamId(id);
		// The event itself is not delivered yet, so a new stream starts right before it.
		const session = this.#sessions.get(sessionId) ?? this.#open(sessionId, offset - 1);
		const now = this.#clock.monotonic();
		const stream = session.open(name, now, offset - 1);
		if (stream.over) return;
		const { holder } = stream;
		const over = name !== '' && endsStream(data);
		const event = { offset, name, data, at: now };
		if (holder?.history !== false || holder.waiting !== undefined) this.#keep(session, stream, over, event);
		if (holder === undefined) return;
		if (holder.waiting !== undefined) {
			this.#wait(stream, holder, holder.waiting, event);
			return;
		}

		const delivered = this.#write(stream, name, holder, event);
		if (!delivered && !holder.history) this.#keep(session, stream, over, event);
		if (delivered && !over) return;
		holder.writer.end();
		this.#leave(stream, holder);
		if (over && isIdle(stream)) session.remove(name);
	}

	#keep(session: SessionStreams, stream: Stream, over: boolean, event: HistoryEvent): void {
		stream.newest = event.offset;
		stream.over ||= over;
		session.keep(event);
	}

	#broadcast(data: string): MaybePromise<void> {
		const offset = ++this.#offset;
		const event = { offset, name: '', data, at: this.#clock.monotonic() };
		this.#broadcasts.append(event);
		this.#sweepLater();
		let withId: Uint8Array | undefined;
		let plain: Uint8Array | undefined;
		const write = (sessions: Iterable<SessionStreams>) => {
			for (const { sessionStream } of sessions) {
				const { holder } = sessionStream;
				// A client that came between two slices has been given it from history.
				if (holder === undefined || sessionStream.delivered >= offset) continue;
				if (holder.waiting !== undefined) {
					if (offset > holder.waiting.since) this.#wait(sessionStream, holder, holder.waiting, event);
					continue;
				}
				let chunk = holder.history ? withId : plain;
				if (chunk === undefined) {
					chunk = encoder.encode(this.#textOf(holder, offset, '', data));
					if (holder.history) withId = chunk;
					else plain = chunk;
				}
				if (holder.writer.write(chunk)) sessionStream.delivered = offset;
				else this.#leave(sessionStream, holder);
			}
		};
		const sessions = this.#sessions.values();
		return this.#sliced.isMany(this.#sessions.size) ? this.#sliced.append(sessions, write) : write(sessions);
	}

	#open(sessionId: string, delivered: number): SessionStreams {
		const session = new SessionStreams(this.#limits, this.#clock.monotonic(), delivered, this.#forgotten);
		this.#sessions.set(sessionId, session);
		this.#sweepLater();
		return session;
	}

	#startOf(
		stream: Stream,
		name: string,
		{ lastEventId, since }: StreamCreateOptions,
	): { readonly continuation: StreamContinuation; readonly offset: number; readonly gap: boolean } {
		const broadcastFloor = name === '' ? this.#broadcastFloor : 0;
		if (lastEventId === undefined) {
			const { delivered, floor } = stream;
			if (stream.over && delivered >= stream.newest) return { continuation: 'ended', offset: delivered, gap: false };
			const from = name === '' && !stream.seen && since !== undefined ? this.#offsetOf(since) : delivered;
			const offset = Math.min(delivered, from ?? delivered);
			const gap = from === undefined || delivered < floor || offset < broadcastFloor;
			return { continuation: 'fresh', offset, gap };
		}
		const id = parseEventId(lastEventId);
		const offset = id?.name === name ? this.#offsetOf(unmarkPosition(id.position)) : undefined;
		if (offset === undefined) return { continuation: 'resumed', offset: stream.delivered, gap: true };
		if (stream.over && offset >= stream.newest) return { continuation: 'ended', offset, gap: false };
		return { continuation: 'resumed', offset, gap: offset < Math.max(stream.floor, broadcastFloor) };
	}

	#positionOf(offset: number): string {
		return `${this.#epoch()}-${offset.toString(36)}`;
	}

	/** Returns the offset of a position of this manager; `undefined` for anything else. */
	#offsetOf(position: string): number | undefined {
		const offset = Number.parseInt(position.slice(this.#epoch().length + 1), 36);
		return offset >= 0 && offset <= this.#offset && this.#positionOf(offset) === position ? offset : undefined;
	}

	#missed(session: SessionStreams, stream: Stream, name: string, offset: number): HistoryEvent[] {
		// Most streams are new; searching the whole history of the session would find nothing.
		const events = offset < stream.newest ? session.after(offset, name) : [];
		if (name !== '') return events;
		return [...events, ...this.#broadcasts.after(offset, name)].sort((a, b) => a.offset - b.offset);
	}

	#replay(stream: Stream, name: string, holder: Holder, { offset, data }: HistoryEvent): boolean {
		const text = this.#textOf(holder, offset, name, data);
		if (!holder.writer.replayText(text, Buffer.byteLength(text))) return false;
		stream.delivered = Math.max(stream.delivered, offset);
		return true;
	}

	#write(stream: Stream, name: string, holder: Holder, { offset, data }: HistoryEvent): boolean {
		const text = this.#textOf(holder, offset, name, data);
		if (!holder.writer.writeText(text, Buffer.byteLength(text))) return false;
		stream.delivered = offset;
		return true;
	}

	/** Keeps an event for a client that is being told of a gap, whatever becomes of the history. */
	#wait(stream: Stream, holder: Holder, { events }: Waiting, event: HistoryEvent): void {
		if (events.push(event) <= MAX_QUEUED) return;
		holder.writer.end();
		this.#leave(stream, holder);
	}

	#leave(stream: Stream, holder: Holder): void {
		if (stream.holder !== holder) return;
		stream.holder = undefined;
		stream.leftAt = this.#clock.monotonic();
		this.#sweepLater();
	}

	/** `prime` numbers an event at the same position as the previous one, which makes its id unique. */
	#textOf(holder: Holder, offset: number, name: string, data: string, prime?: number): string {
		if (!holder.history) return data;
		let position = this.#positionOf(offset);
		if (prime !== undefined) position = markPosition(position, prime.toString(36));
		else if (name !== '' && endsStream(data)) position = markEnd(position);
		return `id: ${formatEventId(position, name)}\n${data}`;
	}

	#forget(sessionId: string, session: SessionStreams): void {
		this.#sessions.delete(sessionId);
		this.#forgotten = Math.max(this.#forgotten, session.sessionStream.newest);
	}

	/** Sets one timer for all sessions, only while something can expire. */
	#sweepLater(): void {
		if (this.#stopSweep !== undefined || this.#closed) return;
		this.#stopSweep = this.#clock.after(Math.max(MIN_SWEEP_MS, this.#limits.maxAgeMs / 4), () => this.#sweep());
	}

	/** Removes the streams of sessions that have ended. */
	#expire(): void {
		this.#isExpiring = true;
		this.#nextEnd = Number.POSITIVE_INFINITY;
		const visit = ([id, end]: readonly [string, number]) => {
			if (end > this.#clock.monotonic()) this.#nextEnd = Math.min(this.#nextEnd, end);
			else void this.#deleteInTurn(id);
			return 1;
		};
		visitInTurns(this.#clock, this.#ends, SWEPT_AT_ONCE, visit, () => {
			this.#isExpiring = false;
			const waitMs = Math.max(MIN_EXPIRE_MS, this.#nextEnd - this.#clock.monotonic());
			this.#stopEnd = this.#ends.size > 0 ? this.#clock.after(waitMs, () => this.#expire()) : undefined;
		});
	}

	#sweep(): void {
		this.#broadcasts.expire(this.#clock.monotonic());
		const visit = ([sessionId, session]: readonly [string, SessionStreams]) => {
			const now = this.#clock.monotonic();
			const { size } = session;
			if (session.sweep(now, now - this.#limits.maxAgeMs)) this.#forget(sessionId, session);
			return 1 + size - session.size;
		};
		visitInTurns(this.#clock, this.#sessions, SWEPT_AT_ONCE, visit, () => {
			this.#stopSweep = undefined;
			if (this.#sessions.size > 0 || this.#broadcasts.size > 0) this.#sweepLater();
		});
	}
}
