import { SessionManagerError } from '../contract/session-manager-error.js';
import type { StreamController } from '../contract/stream-session-manager.js';

/** The default of `maxBufferedBytes`: how many bytes a client may leave unread before its stream is closed. */
export const DEFAULT_MAX_BUFFERED_BYTES = 1024 * 1024;

const encoder = new TextEncoder();

/** A controller that may say of a chunk how much of it counts towards the limit. */
export interface BoundedController extends StreamController {
	/**
	 * Returns how many bytes of `chunk` count as unread; without this method, all of them. A chunk of which none counts
	 * is always written: the controller itself limits how many of those may wait.
	 */
	countedBytes?(chunk: Uint8Array): number;
	/**
	 * Writes `text`, whose UTF-8 has `bytes` bytes, as {@link enqueue} does its bytes; without this method, it is encoded
	 * first. A text of as many bytes as characters is ASCII.
	 */
	enqueueText?(text: string, bytes: number): void;
}

/** A chunk that waits in the controller. */
interface Unread {
	/** By how much it lowered `desiredSize`; infinite when the controller does not report it. */
	readonly cost: number;
	/** How many bytes count towards the limit. */
	readonly bytes: number;
}

/** What waits beyond the controller's own high-water mark. */
interface Backlog {
	/** Oldest first. */
	readonly unread: Unread[];
	unreadBytes: number;
	/** By how much `desiredSize` has risen since the oldest of `unread` became the next to be read. */
	readCost: number;
	/** `desiredSize` after the last write. */
	lastRoom: number;
}

/**
 * Writes to a controller and limits the bytes that wait in it, exact to one high-water mark. It works with controllers
 * that count bytes and with those that count chunks. A client that keeps up is not cut off merely because it never
 * reads everything.
 *
 * @example
 * ```ts source="../../test/examples/bounded-writer.examples.ts#write"
 * const writer = new BoundedWriter(controller, DEFAULT_MAX_BUFFERED_BYTES);
 * for (const event of events) {
 * 	if (!writer.write(new TextEncoder().encode(event))) return; // the client is gone or too slow
 * }
 * writer.end();
 * ```
 */
export class BoundedWriter {
	readonly #controller: BoundedController;
	readonly #maxBufferedBytes: number;
	/** `undefined` while the client keeps up, as most do. */
	#backlog: Backlog | undefined;
	#open = true;

	/** `maxBufferedBytes` is the number of bytes that the client may leave unread. */
	constructor(controller: BoundedController, maxBufferedBytes: number) {
		this.#controller = controller;
		this.#maxBufferedBytes = maxBufferedBytes;
	}

	/** Whether the client is still there, as far as is known. */
	get open(): boolean {
		return this.#open;
	}

	/**
	 * Writes one event. Returns `false` when the client is gone, or was cut off because its buffer is full; the event
	 * then counts as not delivered.
	 */
	write(chunk: Uint8Array): boolean {
		return this.#enqueue(chunk, this.#controller.countedBytes?.(chunk) ?? chunk.byteLength);
	}

	/**
	 * Writes one event that is for this client alone, as {@link write} does. `bytes` is the length of its UTF-8. What
	 * several clients get is one chunk for all of them, which is encoded once and waits once.
	 */
	writeText(text: string, bytes: number): boolean {
		if (this.#controller.enqueueText === undefined) return this.write(encoder.encode(text));
		return this.#enqueue(text, bytes, bytes);
	}

	/** Writes one event of a replay. It does not count towards the limit, because the history limits its size already. */
	replay(chunk: Uint8Array): boolean {
		return this.#enqueue(chunk, 0);
	}

	/** Writes one event of a replay, as text. `bytes` is the length of its UTF-8. */
	replayText(text: string, bytes: number): boolean {
		if (this.#controller.enqueueText === undefined) return this.#enqueue(encoder.encode(text), 0);
		return this.#enqueue(text, 0, bytes);
	}

	/** Closes the stream after what was written. */
	end(): void {
		if (!this.#open) return;
		this.release();
		try {
			this.#controller.close();
		} catch {
			// The client has closed it already.
		}
	}

	/** Closes the stream at once and drops what was not read. */
	abort(reason: Error): void {
		if (!this.#open) return;
		this.release();
		try {
			if (this.#controller.error === undefined) this.#controller.close();
			else this.#controller.error(reason);
		} catch {
			// The client has closed it already.
		}
	}

	/** Drops the controller without closing it, because its client is gone. */
	release(): void {
		this.#open = false;
		this.#backlog = undefined;
	}

	/** `bytes` count towards the limit; `size` is the length of a text. */
	#enqueue(chunk: Uint8Array | string, bytes: number, size = bytes): boolean {
		if (!this.#open) return false;
		const room = this.#controller.desiredSize;
		if (room === null) {
			this.release();
			return false;
		}
		if (this.#backlog !== undefined) this.#removeRead(this.#backlog, room);
		const unreadBytes = this.#backlog?.unreadBytes ?? 0;
		if (room <= 0 && bytes > 0 && unreadBytes + bytes > this.#maxBufferedBytes) {
			this.abort(
				new SessionManagerError(
					'slow-client',
					`The client left ${unreadBytes} bytes unread and was cut off; it can resume with its last event id.`,
				),
			);
			return false;
		}
		try {
			if (typeof chunk === 'string') this.#controller.enqueueText?.(chunk, size);
			else this.#controller.enqueue(chunk);
		} catch {
			// Controllers throw when their client is gone; that is expected.
			this.release();
			return false;
		}
		const left = this.#controller.desiredSize ?? 0;
		if (left <= 0) {
			this.#backlog ??= { unread: [], unreadBytes: 0, readCost: 0, lastRoom: left };
			this.#backlog.unread.push({ cost: room > left ? room - left : Number.POSITIVE_INFINITY, bytes });
			this.#backlog.unreadBytes += bytes;
		}
		if (this.#backlog !== undefined) this.#backlog.lastRoom = left;
		return true;
	}

	/** Removes the chunks that the client has read, judging by the current `desiredSize`. */
	#removeRead(backlog: Backlog, room: number): void {
		if (room > 0) {
			this.#backlog = undefined;
			return;
		}
		const { unread } = backlog;
		if (unread.length === 0) return;
		backlog.readCost += room - backlog.lastRoom;
		backlog.lastRoom = room;
		for (let next = unread[0]; next !== undefined && next.cost <= backlog.readCost; next = unread[0]) {
			backlog.readCost -= next.cost;
			backlog.unreadBytes -= next.bytes;
			unread.shift();
		}
	}
}
