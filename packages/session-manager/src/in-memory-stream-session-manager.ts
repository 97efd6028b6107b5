import { randomBytes } from 'node:crypto';
import { type Clock, systemClock } from './clock.js';
import { formatEventId, markPosition, parseEventId, unmarkPosition } from './event-id.js';
import { DEFAULT_MAX_BUFFERED_BYTES, HeldStream } from './held-stream.js';
import { SessionManagerError } from './session-manager-error.js';
import { DEFAULT_HISTORY_LIMITS, type HistoryEvent, type HistoryLimits, StreamHistory } from './stream-history.js';
import { isAddress, parseStreamId } from './stream-id.js';
import {
	END_OF_STREAM,
	type StreamAttachment,
	type StreamContinuation,
	type StreamController,
	type StreamCreateOptions,
	StreamSessionManager,
} from './stream-session-manager.js';

/** Options of {@link InMemoryStreamSessionManager}. */
export interface InMemoryStreamSessionManagerOptions {
	/** What is kept of each session for clients that come back, and the same again for broadcasts. */
	readonly history?: Partial<HistoryLimits>;
	/** Bytes that a client may leave unread before its stream is closed (default 1 MiB). */
	readonly maxBufferedBytes?: number;
	/** Where time comes from (default: the machine). */
	readonly clock?: Clock;
}

/** What an {@link InMemoryStreamSessionManager} holds at the moment. */
export interface InMemoryStreamStats {
	/** Streams that a client holds open. */
	readonly streams: number;
	/** Listeners on addresses. */
	readonly listeners: number;
	/** Sessions of which something is kept: an open stream, or history for a client that may come back. */
	readonly sessions: number;
	/** Events kept. */
	readonly events: number;
}

interface Holder {
	readonly held: HeldStream;
	readonly history: boolean;
}

/** One stream of a session. */
interface Stream {
	holder: Holder | undefined;
	/** The newest event that a client was handed. */
	delivered: number;
	/** The newest event that was sent to this stream alone. */
	newest: number;
	/** The newest event that may have been dropped: whoever saw less may have a gap. */
	floor: number;
	/** Whether it was ever held. */
	seen: boolean;
	/** Whether {@link END_OF_STREAM} was sent. */
	over: boolean;
	/** When it was last held, or made. */
	leftAt: number;
}

/** What is known of the streams of one session. */
interface Channel {
	readonly history: StreamHistory;
	/** The session stream, for as long as anything is known of the session. */
	readonly session: Stream;
	readonly requests: Map<string, Stream>;
}

const encoder = new TextEncoder();
const lastLine = `${END_OF_STREAM}\n\n`;

function isEnd(data: string): boolean {
	return data.endsWith(lastLine) && (data.length === lastLine.length || data.at(-lastLine.length - 1) === '\n');
}

/**
 * Streams of one process. Every promise that one node can keep holds: newest wins, order, resuming within the retention, bounded
 * buffers. Event ids carry an epoch that is random for each manager, so a restart is recognised as a gap.
 */
export class InMemoryStreamSessionManager extends StreamSessionManager {
	readonly #limits: HistoryLimits;
	readonly #maxBufferedBytes: number;
	readonly #clock: Clock;
	readonly #epoch = randomBytes(4).toString('hex');
	readonly #channels = new Map<string, Channel>();
	readonly #listeners = new Map<string, Set<HeldStream>>();
	readonly #broadcasts: StreamHistory;
	/** The newest broadcast that was dropped. */
	#broadcastFloor = 0;
	/** When that was sent. */
	#broadcastFloorAt = Number.NEGATIVE_INFINITY;
	#offset = 0;
	#primes = 0;
	/** The newest event of a session stream of which nothing is known any more. */
	#forgotten = 0;
	#stopSweep: (() => void) | undefined;
	#closed = false;

	constructor(options: InMemoryStreamSessionManagerOptions = {}) {
		super();
		this.#limits = Object.freeze({
			maxEvents: options.history?.maxEvents ?? DEFAULT_HISTORY_LIMITS.maxEvents,
			maxBytes: options.history?.maxBytes ?? DEFAULT_HISTORY_LIMITS.maxBytes,
			maxAgeMs: options.history?.maxAgeMs ?? DEFAULT_HISTORY_LIMITS.maxAgeMs,
		});
		this.#maxBufferedBytes = options.maxBufferedBytes ?? DEFAULT_MAX_BUFFERED_BYTES;
		this.#clock = options.clock ?? systemClock;
		this.#broadcasts = new StreamHistory(this.#limits, (event) => {
			this.#broadcastFloor = event.offset;
			this.#broadcastFloorAt = event.at;
		});
	}

	override get resumable(): boolean {
		return true;
	}

	/** Counts for operators and for tests of leaks. */
	stats(): InMemoryStreamStats {
		let streams = 0;
		let events = this.#broadcasts.size;
		let listeners = 0;
		for (const channel of this.#channels.values()) {
			events += channel.history.size;
			for (const stream of streamsOf(channel)) if (stream.holder?.held.open) streams++;
		}
		for (const listening of this.#listeners.values()) listeners += listening.size;
		return { streams, listeners, sessions: this.#channels.size, events };
	}

	create(id: string, controller: StreamController, options: StreamCreateOptions = {}): StreamAttachment {
		if (this.#closed) throw new SessionManagerError('closed', 'The stream manager is closed.');
		const held = new HeldStream(controller, this.#maxBufferedBytes);
		if (isAddress(id)) return this.#listen(id, held);

		const { sessionId, name } = parseStreamId(id);
		const channel = this.#channels.get(sessionId) ?? this.#open(sessionId, this.#offset);
		const stream = this.#streamOf(channel, name, this.#offset);
		const now = this.#clock.now();
		channel.history.expire(now);
		this.#broadcasts.expire(now);
		const start = this.#startOf(stream, name, options);
		if (start.continuation === 'ended') return { continuation: 'ended', detach() {} };
		const missed = this.#missed(channel, stream, name, start.offset);

		const holder: Holder = { held, history: options.history ?? true };
		const previous = stream.holder;
		stream.holder = holder;
		stream.seen = true;
		previous?.held.end();

		if (options.prime !== undefined) {
			// Where nothing is to come first, all that was dropped has been told of: coming back from here is no gap.
			const place = missed.length === 0 ? this.#offset : start.offset;
			held.pushUnbounded(this.#encode(holder, place, name, options.prime, ++this.#primes));
		}
		for (const event of missed) if (!this.#replay(stream, name, holder, event.offset, event.data)) break;
		if (stream.over) held.end();
		if (!held.open) this.#leave(stream, holder);
		// What was lost is told of once.
		else stream.delivered = this.#offset;
		return {
			continuation: start.continuation,
			detach: () => {
				held.release();
				this.#leave(stream, holder);
			},
		};
	}

	delete(id: string): void {
		if (isAddress(id)) {
			for (const listener of this.#listeners.get(id) ?? []) listener.end();
			this.#listeners.delete(id);
			return;
		}
		const { sessionId, name } = parseStreamId(id);
		const channel = this.#channels.get(sessionId);
		if (channel === undefined) return;
		if (name === '') {
			this.#forget(sessionId, channel);
			for (const stream of streamsOf(channel)) stream.holder?.held.end();
		} else {
			const stream = channel.requests.get(name);
			channel.requests.delete(name);
			channel.history.forget(name);
			stream?.holder?.held.end();
		}
	}

	has(id: string): boolean {
		if (isAddress(id)) return this.#listeners.has(id);
		const { sessionId, name } = parseStreamId(id);
		const channel = this.#channels.get(sessionId);
		const stream = name === '' ? channel?.session : channel?.requests.get(name);
		return stream?.holder?.held.open ?? false;
	}

	send(ids: readonly string[] | undefined, data: string): void {
		if (this.#closed) throw new SessionManagerError('closed', 'The stream manager is closed.');
		const offset = ++this.#offset;
		if (ids === undefined) this.#broadcast(offset, data);
		else for (const id of ids.length > 1 ? new Set(ids) : ids) this.#sendTo(id, offset, data);
	}

	override close(): void {
		this.#closed = true;
		this.#stopSweep?.();
		const channels = [...this.#channels.values()];
		const listeners = [...this.#listeners.values()];
		this.#channels.clear();
		this.#listeners.clear();
		this.#broadcasts.forget('');
		for (const channel of channels) for (const stream of streamsOf(channel)) stream.holder?.held.end();
		for (const listening of listeners) for (const listener of listening) listener.end();
	}

	#listen(address: string, listener: HeldStream): StreamAttachment {
		const listeners = this.#listeners.get(address) ?? new Set();
		this.#listeners.set(address, listeners.add(listener));
		return {
			continuation: 'fresh',
			detach: () => {
				listener.release();
				this.#unlisten(address, listeners, listener);
			},
		};
	}

	#unlisten(address: string, listeners: Set<HeldStream>, listener: HeldStream): void {
		listeners.delete(listener);
		if (listeners.size === 0 && this.#listeners.get(address) === listeners) this.#listeners.delete(address);
	}

	#sendTo(id: string, offset: number, data: string): void {
		if (isAddress(id)) {
			const listeners = this.#listeners.get(id);
			if (listeners === undefined) return;
			const chunk = encoder.encode(data);
			for (const listener of listeners) if (!listener.push(chunk)) this.#unlisten(id, listeners, listener);
			return;
		}
		const { sessionId, name } = parseStreamId(id);
		// The event itself is not delivered yet, so what it opens starts right before it.
		const channel = this.#channels.get(sessionId) ?? this.#open(sessionId, offset - 1);
		const stream = this.#streamOf(channel, name, offset - 1);
		const { holder } = stream;
		const over = name !== '' && isEnd(data);
		if (holder?.history !== false) this.#keep(channel, stream, over, { offset, name, data, at: this.#clock.now() });
		if (holder === undefined) return;

		const delivered = holder.held.push(this.#encode(holder, offset, name, data));
		if (delivered) stream.delivered = offset;
		else if (!holder.history) this.#keep(channel, stream, over, { offset, name, data, at: this.#clock.now() });
		if (delivered && !over) return;
		holder.held.end();
		this.#leave(stream, holder);
		if (over && isIdle(stream)) channel.requests.delete(name);
	}

	#keep(channel: Channel, stream: Stream, over: boolean, event: HistoryEvent): void {
		stream.newest = event.offset;
		stream.over ||= over;
		channel.history.append(event);
	}

	#broadcast(offset: number, data: string): void {
		this.#broadcasts.append({ offset, name: '', data, at: this.#clock.now() });
		this.#sweepLater();
		let withId: Uint8Array | undefined;
		let plain: Uint8Array | undefined;
		for (const { session } of this.#channels.values()) {
			const { holder } = session;
			if (holder === undefined) continue;
			let chunk = holder.history ? withId : plain;
			if (chunk === undefined) {
				chunk = this.#encode(holder, offset, '', data);
				if (holder.history) withId = chunk;
				else plain = chunk;
			}
			if (holder.held.push(chunk)) session.delivered = offset;
			else this.#leave(session, holder);
		}
	}

	#open(sessionId: string, delivered: number): Channel {
		const requests = new Map<string, Stream>();
		const session = this.#newStream(delivered, this.#forgotten);
		const history = new StreamHistory(this.#limits, ({ name, offset }) => {
			const stream = name === '' ? session : requests.get(name);
			if (stream === undefined) return;
			stream.floor = offset;
			if (stream.over && isIdle(stream)) requests.delete(name);
		});
		const channel = { history, session, requests };
		this.#channels.set(sessionId, channel);
		this.#sweepLater();
		return channel;
	}

	/** The stream `name`, which is made where it is unknown: it then begins after `offset`. */
	#streamOf(channel: Channel, name: string, offset: number): Stream {
		if (name === '') return channel.session;
		let stream = channel.requests.get(name);
		if (stream === undefined) {
			stream = this.#newStream(offset, offset);
			channel.requests.set(name, stream);
		}
		return stream;
	}

	#newStream(delivered: number, floor: number): Stream {
		return { holder: undefined, delivered, newest: floor, floor, seen: false, over: false, leftAt: this.#clock.now() };
	}

	#startOf(
		stream: Stream,
		name: string,
		{ lastEventId, since }: StreamCreateOptions,
	): { readonly continuation: StreamContinuation; readonly offset: number } {
		const broadcastFloor = name === '' ? this.#broadcastFloor : 0;
		if (lastEventId === undefined) {
			const { delivered, floor } = stream;
			if (stream.over && delivered >= stream.newest) return { continuation: 'ended', offset: delivered };
			const offset =
				name === '' && !stream.seen && since !== undefined
					? Math.min(delivered, this.#newestBroadcastUntil(since))
					: delivered;
			return { continuation: delivered < floor || offset < broadcastFloor ? 'gap' : 'fresh', offset };
		}
		const offset = this.#offsetOf(lastEventId, name);
		if (offset === undefined) return { continuation: 'gap', offset: stream.delivered };
		if (stream.over && offset >= stream.newest) return { continuation: 'ended', offset };
		return { continuation: offset < Math.max(stream.floor, broadcastFloor) ? 'gap' : 'resumed', offset };
	}

	/** A place after the broadcasts until the time `at`; before the floor where later ones were dropped. */
	#newestBroadcastUntil(at: number): number {
		const dropped = this.#broadcastFloorAt > at ? this.#broadcastFloor - 1 : this.#broadcastFloor;
		return this.#broadcasts.newestUntil(at) ?? dropped;
	}

	#offsetOf(lastEventId: string, name: string): number | undefined {
		const id = parseEventId(lastEventId);
		const prefix = `${this.#epoch}-`;
		if (id === undefined || id.name !== name || !id.position.startsWith(prefix)) return undefined;
		const digits = unmarkPosition(id.position).slice(prefix.length);
		const offset = Number.parseInt(digits, 36);
		return offset >= 0 && offset <= this.#offset && offset.toString(36) === digits ? offset : undefined;
	}

	#missed(channel: Channel, stream: Stream, name: string, offset: number): HistoryEvent[] {
		// Most streams are new, and a search through all that is kept of the session would find nothing.
		const events = offset < stream.newest ? [...channel.history.after(offset, name)] : [];
		if (name !== '') return events;
		return [...events, ...this.#broadcasts.after(offset, name)].sort((a, b) => a.offset - b.offset);
	}

	#replay(stream: Stream, name: string, holder: Holder, offset: number, data: string): boolean {
		if (!holder.held.pushUnbounded(this.#encode(holder, offset, name, data))) return false;
		stream.delivered = Math.max(stream.delivered, offset);
		return true;
	}

	#leave(stream: Stream, holder: Holder): void {
		if (stream.holder !== holder) return;
		stream.holder = undefined;
		stream.leftAt = this.#clock.now();
		this.#sweepLater();
	}

	/** `prime` numbers an event that is at the same place as the one before it, so that its id is its own. */
	#encode(holder: Holder, offset: number, name: string, data: string, prime?: number): Uint8Array {
		if (!holder.history) return encoder.encode(data);
		const place = `${this.#epoch}-${offset.toString(36)}`;
		return encoder.encode(
			`id: ${formatEventId(prime === undefined ? place : markPosition(place, prime.toString(36)), name)}\n${data}`,
		);
	}

	#forget(sessionId: string, channel: Channel): void {
		this.#channels.delete(sessionId);
		this.#forgotten = Math.max(this.#forgotten, channel.session.newest);
	}

	/** One timer for all sessions, set only while something can grow old. */
	#sweepLater(): void {
		if (this.#stopSweep !== undefined || this.#closed) return;
		this.#stopSweep = this.#clock.after(Math.max(1, this.#limits.maxAgeMs / 4), () => {
			this.#stopSweep = undefined;
			this.#sweep();
			if (this.#channels.size > 0 || this.#broadcasts.size > 0) this.#sweepLater();
		});
	}

	#sweep(): void {
		const now = this.#clock.now();
		const old = now - this.#limits.maxAgeMs;
		this.#broadcasts.expire(now);
		for (const [sessionId, channel] of this.#channels) {
			channel.history.expire(now);
			for (const [name, stream] of channel.requests) {
				if (isIdle(stream) && stream.leftAt <= old) channel.requests.delete(name);
			}
			if (channel.requests.size > 0 || !isIdle(channel.session) || channel.session.leftAt > old) continue;
			this.#forget(sessionId, channel);
		}
	}
}

/** Whether nobody holds the stream and nothing is kept of it. */
function isIdle(stream: Stream): boolean {
	return stream.holder === undefined && stream.newest <= stream.floor;
}

function* streamsOf(channel: Channel): Generator<Stream, void> {
	yield channel.session;
	yield* channel.requests.values();
}
