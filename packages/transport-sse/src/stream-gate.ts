import { type SessionRecord, type StreamController, statusOf } from '@holdfast/session-manager/custom';
import { type Connection, lostResponse, messageEvent, type SessionHost } from '@holdfast/transport/internal';
import { RemoteCalls } from './remote-calls.js';
import { ResponseDedup } from './response-dedup.js';
import { type ResponseMark, takeMark } from './stream-mark.js';

/** How many bytes of responses a client may leave unread: four of the largest messages. Past it, it is too slow. */
const MAX_RESPONSE_BYTES = 64 * 1024 * 1024;

/**
 * The stream controller in front of a session's connection. It lets each response through once. Until the response to
 * `initialize` has passed it lets nothing else through, because broadcasts before that are not for the client
 * (2024-11-05, Lifecycle, Initialization). A call whose node dies gets an error response.
 */
export class StreamGate implements StreamController {
	readonly #connection: Connection;
	readonly #record: () => SessionRecord;
	readonly #seen = new ResponseDedup();
	readonly #remote: RemoteCalls;
	#isOpen = false;
	/** Bytes of responses that the client may not have read. */
	#responseBytes = 0;

	/** `record` returns what this node knows of the session now. */
	constructor(
		connection: Connection,
		record: () => SessionRecord,
		host: Pick<SessionHost, 'context' | 'monitor' | 'requestStreams'>,
	) {
		this.#connection = connection;
		this.#record = record;
		this.#remote = new RemoteCalls(host, record().id, (id) => connection.write(messageEvent(lostResponse(id))));
	}

	/** Responses to calls that were accepted do not count as unread: their client asked for them, and cannot resume. */
	get desiredSize(): number | null {
		const room = this.#connection.desiredSize;
		if (room === null) return null;
		if (room > 0) this.#responseBytes = 0;
		return room + Math.min(this.#responseBytes, MAX_RESPONSE_BYTES);
	}

	enqueue(chunk: Uint8Array): void {
		const marked = takeMark(chunk);
		// The response to `initialize` may arrive before the message that the session is initialized.
		this.#isOpen ||= statusOf(this.#record()) !== 'opening';
		if (marked === undefined) {
			if (this.#isOpen) this.#connection.enqueue(chunk);
			return;
		}
		const { mark, event } = marked;
		if (mark.type === 'call') this.#remote.begin(mark);
		else if (mark.type === 'over') this.#remote.end(mark.writer, mark.call);
		else if (this.#isNew(mark)) {
			this.#responseBytes += event.byteLength;
			this.#connection.enqueue(event);
		}
	}

	close(): void {
		this.#connection.close();
	}

	error(reason?: unknown): void {
		this.#connection.error(reason);
	}

	/** Called when the connection has ended. */
	ended(): void {
		this.#remote.close();
	}

	#isNew(mark: ResponseMark): boolean {
		this.#isOpen ||= mark.opens;
		return this.#seen.add(mark) && this.#remote.end(mark.writer, mark.call);
	}
}
