import type { BoundedWriter } from '../stream/bounded-writer.js';
import { type HistoryLimits, StreamHistory } from '../stream/stream-history.js';

/** A client that holds a stream of this process. */
export interface Holder {
	readonly writer: BoundedWriter;
	readonly history: boolean;
}

/** One stream of a session. */
export interface Stream {
	holder: Holder | undefined;
	/** The newest event that a client was handed. */
	delivered: number;
	/** The newest event that was sent to this stream alone. */
	newest: number;
	/** The newest event that may have been dropped: whoever saw less may have a gap. */
	floor: number;
	/** Whether it was ever held. */
	seen: boolean;
	/** Whether `END_OF_STREAM` was sent. */
	over: boolean;
	/** When it was last writer, or made. */
	leftAt: number;
}

/** What is known of the streams of one session in one process. */
export class SessionStreams {
	/** The session stream, for as long as anything is known of the session. */
	readonly session: Stream;
	readonly requests = new Map<string, Stream>();
	readonly history: StreamHistory;

	/** The session stream begins after `delivered`; whoever saw less than `floor` may have a gap. */
	constructor(limits: HistoryLimits, now: number, delivered: number, floor: number) {
		this.session = newStream(now, delivered, floor);
		this.history = new StreamHistory(limits, ({ name, offset }) => {
			const stream = this.find(name);
			if (stream === undefined) return;
			stream.floor = offset;
			if (stream.over && isIdle(stream)) this.requests.delete(name);
		});
	}

	find(name: string): Stream | undefined {
		return name === '' ? this.session : this.requests.get(name);
	}

	/** The stream `name`, which is made where it is unknown: it then begins after `offset`. */
	open(name: string, now: number, offset: number): Stream {
		let stream = this.find(name);
		if (stream === undefined) {
			stream = newStream(now, offset, offset);
			this.requests.set(name, stream);
		}
		return stream;
	}

	*streams(): Generator<Stream, void> {
		yield this.session;
		yield* this.requests.values();
	}

	/** Forgets requests that nobody came back to since `old`; `true` when nothing more is to be known of the session. */
	sweep(now: number, old: number): boolean {
		this.history.expire(now);
		for (const [name, stream] of this.requests) {
			if (isIdle(stream) && stream.leftAt <= old) this.requests.delete(name);
		}
		return this.requests.size === 0 && isIdle(this.session) && this.session.leftAt <= old;
	}
}

/** Whether nobody holds the stream and nothing is kept of it. */
export function isIdle(stream: Stream): boolean {
	return stream.holder === undefined && stream.newest <= stream.floor;
}

function newStream(now: number, delivered: number, floor: number): Stream {
	return { holder: undefined, delivered, newest: floor, floor, seen: false, over: false, leftAt: now };
}
