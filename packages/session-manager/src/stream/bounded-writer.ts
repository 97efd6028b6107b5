import { SessionManagerError } from '../contract/session-manager-error.js';
import type { StreamController } from '../contract/stream-session-manager.js';

/** Bytes that a client may leave unread before its stream is closed, unless an option says otherwise. */
export const DEFAULT_MAX_BUFFERED_BYTES = 1024 * 1024;

/** Something handed over that waits in the controller. */
interface Unread {
	/** By how much it lowered `desiredSize`; infinite where the controller does not tell. */
	readonly cost: number;
	/** What it counts towards the bound. */
	readonly bytes: number;
}

/**
 * A controller with a bound on the bytes that wait in it, exact to one high-water mark, for controllers that count bytes and for
 * those that count chunks. A client that reads is not cut off for never being quite done.
 */
export class BoundedWriter {
	readonly #controller: StreamController;
	readonly #maxBufferedBytes: number;
	/** What waits beyond the controller's own room, oldest first. */
	#unread: Unread[] = [];
	#unreadBytes = 0;
	/** By how much `desiredSize` rose since the oldest of `#unread` came to be next. */
	#readCost = 0;
	/** `desiredSize` after the last event was handed over. */
	#lastRoom = 0;
	#open = true;

	constructor(controller: StreamController, maxBufferedBytes: number) {
		this.#controller = controller;
		this.#maxBufferedBytes = maxBufferedBytes;
	}

	/** Whether the client is, as far as anyone knows, still there. */
	get open(): boolean {
		return this.#open;
	}

	/**
	 * Hands over one event. Answers `false` when the client is gone, or did not read and was therefore cut off; the event is
	 * then to be counted as not delivered.
	 */
	write(chunk: Uint8Array): boolean {
		return this.#hand(chunk, chunk.byteLength);
	}

	/** Hands over one event of a replay, whose size the history already bounds: it does not count towards the bound. */
	replay(chunk: Uint8Array): boolean {
		return this.#hand(chunk, 0);
	}

	/** Ends the channel after what was handed over. */
	end(): void {
		if (!this.#open) return;
		this.release();
		try {
			this.#controller.close();
		} catch {
			// The client went first.
		}
	}

	/** Ends the channel at once; what was not read is dropped. */
	abort(reason: Error): void {
		if (!this.#open) return;
		this.release();
		try {
			if (this.#controller.error === undefined) this.#controller.close();
			else this.#controller.error(reason);
		} catch {
			// The client went first.
		}
	}

	/** Forgets the controller without touching it: its client is gone. */
	release(): void {
		this.#open = false;
		this.#unread = [];
	}

	#hand(chunk: Uint8Array, bytes: number): boolean {
		if (!this.#open) return false;
		const room = this.#controller.desiredSize;
		if (room === null) {
			this.release();
			return false;
		}
		this.#takeOffRead(room);
		if (room <= 0 && bytes > 0 && this.#unreadBytes + bytes > this.#maxBufferedBytes) {
			this.abort(
				new SessionManagerError(
					'slow-client',
					`The client left ${this.#unreadBytes} bytes unread and was cut off; it can resume with its last event id.`,
				),
			);
			return false;
		}
		try {
			this.#controller.enqueue(chunk);
		} catch {
			// Controllers throw when their client has gone; that is news, not a failure.
			this.release();
			return false;
		}
		const left = this.#controller.desiredSize ?? 0;
		this.#lastRoom = left;
		if (left <= 0) {
			this.#unread.push({ cost: room > left ? room - left : Number.POSITIVE_INFINITY, bytes });
			this.#unreadBytes += bytes;
		}
		return true;
	}

	/** Stops counting what the client has read, to judge by the `room` that there is now. */
	#takeOffRead(room: number): void {
		if (this.#unread.length === 0) return;
		if (room > 0) {
			this.#unread = [];
			this.#unreadBytes = 0;
			this.#readCost = 0;
			return;
		}
		this.#readCost += room - this.#lastRoom;
		this.#lastRoom = room;
		for (let next = this.#unread[0]; next !== undefined && next.cost <= this.#readCost; next = this.#unread[0]) {
			this.#readCost -= next.cost;
			this.#unreadBytes -= next.bytes;
			this.#unread.shift();
		}
	}
}
