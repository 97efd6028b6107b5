import { type BoundedController, type SessionRecord, statusOf } from '@holdfast/session-manager/custom';
import { type Connection, lostResponse, messageEvent, type SessionHost } from '@holdfast/transport/internal';
import { RemoteCalls } from './remote-calls.js';
import { ResponseDedup } from './response-dedup.js';
import { type ResponseMark, takeMark } from './stream-mark.js';

/** How many bytes a client may leave unread, responses included: four of the largest messages. */
const MAX_UNREAD_BYTES = 64 * 1024 * 1024;

/**
 * The stream controller in front of a session's connection. It lets each response through once. Until the session is
 * initialized it lets nothing else through, because broadcasts before that are not for the client (2024-11-05,
 * Lifecycle, Initialization). A call whose node dies gets an error response.
 */
export class StreamGate implements BoundedController {
	/** Called when a call has ended: its response was written, or its client cancelled it. */
	oncallended: (() => void) | undefined;
	readonly #connection: Connection;
	readonly #record: () => SessionRecord;
	readonly #seen = new ResponseDedup();
	readonly #remote: RemoteCalls;
	#isOpen = false;

	/** `record` returns what this node knows of the session now. */
	constructor(
		connection: Connection,
		record: () => SessionRecord,
		host: Pick<SessionHost, 'context' | 'monitor' | 'requestStreams'>,
	) {
		this.#connection = connection;
		this.#record = record;
		this.#remote = new RemoteCalls(host, record().id, (id) => {
			connection.write(messageEvent(lostResponse(id)));
			this.oncallended?.();
		});
	}

	get desiredSize(): number | null {
		return this.#connection.desiredSize;
	}

	/** Whether the client is still there. */
	get isHeld(): boolean {
		return this.#connection.open;
	}

	/** Responses to calls that were accepted do not count as unread: their client asked for them, and cannot resume. */
	countedBytes(chunk: Uint8Array): number {
		return takeMark(chunk) === undefined ? chunk.byteLength : 0;
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
		if (mark.type === 'open') this.open();
		else if (mark.type === 'call') this.#remote.begin(mark);
		else if (mark.type === 'over') {
			this.#remote.end(mark.writer, mark.call);
			this.oncallended?.();
		} else if (this.#isNew(mark)) this.#respond(event);
	}

	/** Lets everything through from now on. */
	open(): void {
		this.#isOpen = true;
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

	#respond(event: Uint8Array): void {
		if ((this.#connection.room ?? 0) < -MAX_UNREAD_BYTES) {
			this.#connection.error(new Error('The client left too many responses unread.'));
			throw new TypeError('The client left too many responses unread.');
		}
		this.#connection.enqueue(event);
		this.oncallended?.();
	}

	#isNew(mark: ResponseMark): boolean {
		this.#isOpen ||= mark.opens;
		return this.#seen.add(mark) && this.#remote.end(mark.writer, mark.call);
	}
}
