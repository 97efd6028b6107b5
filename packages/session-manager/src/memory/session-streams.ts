import type { BoundedWriter } from '../stream/bounded-writer.js';
import { type HistoryLimits, StreamHistory } from '../stream/stream-history.js';

/** A client that holds a stream of this process. */
export interface Holder {
	readonly writer: BoundedWriter;
	readonly history: boolean;
	/** Whether its client is being told of a gap: until then it gets nothing, and what is sent is kept. */
	waits: boolean;
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
	/** Whether a client ever held it. */
	seen: boolean;
	/** Whether `END_OF_STREAM` was sent. */
	over: boolean;
	/** When a client last held it, or when it was created, on the monotonic clock. */
	leftAt: number;
}

/** The streams of one session in this process. */
export class SessionStreams {
	/** The session stream. It exists for as long as the session is known here. */
	readonly sessionStream: Stream;
	readonly requests = new Map<string, Stream>();
	readonly history: StreamHistory;

	/** The session stream begins after `delivered`; a client that saw less than `floor` may have a gap. */
	constructor(limits: HistoryLimits, now: number, delivered: number, floor: number) {
		this.sessionStream = newStream(now, delivered, floor);
		this.history = new StreamHistory(limits, ({ name, offset }) => {
			const stream = this.find(name);
			if (stream === undefined) return;
			stream.floor = offset;
			if (stream.over && isIdle(stream)) this.requests.delete(name);
		});
	}

	find(name: string): Stream | undefined {
		return name === '' ? this.sessionStream : this.requests.get(name);
	}

	/** Returns the stream `name`. A new one begins after `offset`. */
	open(name: string, now: number, offset: number): Stream {
		let stream = this.find(name);
		if (stream === undefined) {
			stream = newStream(now, offset, offset);
			this.requests.set(name, stream);
		}
		return stream;
	}

	*streams(): Generator<Stream, void> {
		yield this.sessionStream;
		yield* this.requests.values();
	}

	/** Removes request streams that nobody has held since `old`. Returns `true` when nothing is left of the session. */
	sweep(now: number, old: number): boolean {
		this.history.expire(now);
		for (const [name, stream] of this.requests) {
			if (isIdle(stream) && stream.leftAt <= old) this.requests.delete(name);
		}
		return this.requests.size === 0 && isIdle(this.sessionStream) && this.sessionStream.leftAt <= old;
	}
}

/** Returns whether nobody holds the stream and none of its events is kept. */
export function isIdle(stream: Stream): boolean {
	return stream.holder === undefined && stream.newest <= stream.floor;
}

function newStream(now: number, delivered: number, floor: number): Stream {
	return { holder: undefined, delivered, newest: floor, floor, seen: false, over: false, leftAt: now };
}
