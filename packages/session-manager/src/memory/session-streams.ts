import type { StreamAttachment, StreamContinuation } from '../contract/stream-session-manager.js';
import type { BoundedWriter } from '../stream/bounded-writer.js';
import { type HistoryEvent, type HistoryLimits, StreamHistory } from '../stream/stream-history.js';

/** What is sent to a client while it is being told of a gap. */
export interface Waiting {
	/** The newest event of all when that began: earlier ones are in the history that the client will be given. */
	readonly since: number;
	/** Oldest first. */
	readonly events: HistoryEvent[];
}

/** A client that holds a stream of this process. */
export class Holder implements StreamAttachment {
	readonly continuation: StreamContinuation;
	readonly writer: BoundedWriter;
	readonly history: boolean;
	/** What its client has to wait for, because it is being told of a gap: until then it gets nothing. */
	waiting: Waiting | undefined;
	readonly detach = (): void => {
		this.writer.release();
		this.#onleave(this.#stream, this);
	};
	readonly #stream: Stream;
	readonly #onleave: (stream: Stream, holder: Holder) => void;

	/** `onleave` is called when the client is gone. */
	constructor(
		stream: Stream,
		writer: BoundedWriter,
		history: boolean,
		continuation: StreamContinuation,
		onleave: (stream: Stream, holder: Holder) => void,
	) {
		this.continuation = continuation;
		this.writer = writer;
		this.history = history;
		this.waiting = undefined;
		this.#stream = stream;
		this.#onleave = onleave;
	}
}

/** One stream of a session. */
export interface Stream {
	holder: Holder | undefined;
	/** The newest event that was written to a client. */
	delivered: number;
	/** The newest event that was sent to this stream alone. */
	newest: number;
	/** The newest event that may have been dropped: a client that saw less may have a gap. */
	floor: number;
	/** Whether it ever began for a client. */
	seen: boolean;
	/** Whether `END_OF_STREAM` was sent. */
	over: boolean;
	/** When a client last held it, or when it was created, on the monotonic clock. */
	leftAt: number;
}

/** The streams of one session in this process. An idle session has neither request streams nor a history. */
export class SessionStreams {
	/** The session stream. It exists for as long as the session is known here. */
	readonly sessionStream: Stream;
	readonly #limits: HistoryLimits;
	#requests: Map<string, Stream> | undefined;
	#history: StreamHistory | undefined;

	/** The session stream begins after `delivered`; a client that saw less than `floor` may have a gap. */
	constructor(limits: HistoryLimits, now: number, delivered: number, floor: number) {
		this.sessionStream = newStream(now, delivered, floor);
		this.#limits = limits;
	}

	/** How many events are kept. */
	get events(): number {
		return this.#history?.size ?? 0;
	}

	/** How many events and request streams are kept. */
	get size(): number {
		return this.events + (this.#requests?.size ?? 0);
	}

	find(name: string): Stream | undefined {
		return name === '' ? this.sessionStream : this.#requests?.get(name);
	}

	/** Returns the stream `name`. A new one begins after `offset`. */
	open(name: string, now: number, offset: number): Stream {
		let stream = this.find(name);
		if (stream === undefined) {
			stream = newStream(now, offset, offset);
			this.#requests ??= new Map();
			this.#requests.set(name, stream);
		}
		return stream;
	}

	*streams(): Generator<Stream, void> {
		yield this.sessionStream;
		if (this.#requests !== undefined) yield* this.#requests.values();
	}

	/** Keeps an event for clients that come back. */
	keep(event: HistoryEvent): void {
		this.#history ??= new StreamHistory(this.#limits, ({ name, offset }) => {
			const stream = this.find(name);
			if (stream === undefined) return;
			stream.floor = offset;
			if (stream.over && isIdle(stream)) this.remove(name);
		});
		this.#history.append(event);
	}

	/** Returns the events of stream `name` after `offset`, oldest first. */
	after(offset: number, name: string): HistoryEvent[] {
		return this.#history === undefined ? [] : [...this.#history.after(offset, name)];
	}

	/** Drops the events that are older than the retention at `now`, on the monotonic clock. */
	expire(now: number): void {
		if (this.#history === undefined) return;
		this.#history.expire(now);
		if (this.#history.size === 0) this.#history = undefined;
	}

	/** Removes a request stream. */
	remove(name: string): void {
		this.#requests?.delete(name);
		if (this.#requests?.size === 0) this.#requests = undefined;
	}

	/** Removes a request stream and its events. */
	forget(name: string): void {
		this.remove(name);
		this.#history?.forget(name);
	}

	/** Removes request streams that nobody has held since `old`. Returns `true` when nothing is left of the session. */
	sweep(now: number, old: number): boolean {
		this.expire(now);
		for (const [name, stream] of this.#requests ?? []) {
			if (isIdle(stream) && stream.leftAt <= old) this.remove(name);
		}
		return this.#requests === undefined && isIdle(this.sessionStream) && this.sessionStream.leftAt <= old;
	}
}

/** Returns whether nobody holds the stream and none of its events is kept. */
export function isIdle(stream: Stream): boolean {
	return stream.holder === undefined && stream.newest <= stream.floor;
}

function newStream(now: number, delivered: number, floor: number): Stream {
	return { holder: undefined, delivered, newest: floor, floor, seen: false, over: false, leftAt: now };
}
