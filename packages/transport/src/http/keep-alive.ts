import type { Clock } from '@holdfast/session-manager';
import { DEFAULT_MAX_BUFFERED_BYTES } from '@holdfast/session-manager/custom';
import { visitInTurns } from '@holdfast/session-manager/internal';
import { keepAliveComment } from '../protocol/sse.js';
import type { Connection } from './connection.js';
import { untilRead } from './paced-write.js';

/** The shortest time between the comments of two parts, in milliseconds. */
const MIN_PART_MS = 250;
const MAX_PARTS = 32;
/** How many connections get a comment in one turn of the event loop. */
const COMMENTS_AT_ONCE = 500;

/**
 * Writes a comment to each connection every interval. Those that came at about the same time are a part, and the parts
 * get theirs one after the other. All share one timer, which runs only while there are any. A client with more to read
 * than a manager would leave it is watched instead, and cut off where it reads nothing.
 */
export class KeepAlive {
	readonly #clock: Clock;
	readonly #intervalMs: number;
	readonly #parts: readonly Set<Connection>[];
	/** How many parts have had their turn. */
	#turns = 0;
	#size = 0;
	/** When the next part has its turn, on the monotonic clock. */
	#at = 0;
	#stop: (() => void) | undefined;

	/** `intervalMs` of 0 means never. */
	constructor(clock: Clock, intervalMs: number) {
		this.#clock = clock;
		this.#intervalMs = intervalMs;
		const parts = Math.min(Math.max(Math.floor(intervalMs / MIN_PART_MS), 1), MAX_PARTS);
		this.#parts = Array.from({ length: parts }, () => new Set());
	}

	/** How many connections there are. */
	get size(): number {
		return this.#size;
	}

	/** Adds a connection to the part whose turn is the last to come. Returns that part. */
	add(connection: Connection): Set<Connection> {
		const part = this.#part(this.#turns + this.#parts.length - 1).add(connection);
		this.#size++;
		if (this.#intervalMs > 0 && this.#stop === undefined) {
			this.#at = this.#clock.monotonic();
			this.#wait();
		}
		return part;
	}

	/** Removes a connection from its part. */
	delete(connection: Connection, part: Set<Connection>): void {
		if (!part.delete(connection)) return;
		this.#size--;
		if (this.#size > 0) return;
		this.#stop?.();
		this.#stop = undefined;
	}

	#part(number: number): Set<Connection> {
		return this.#parts[number % this.#parts.length] ?? new Set();
	}

	/** Waits for the turn of the next part. One that is late does not delay those after it. */
	#wait(): void {
		const now = this.#clock.monotonic();
		const partMs = this.#intervalMs / this.#parts.length;
		// After a long pause there is one round to catch up with, not many.
		this.#at = Math.max(this.#at + partMs, now - this.#intervalMs);
		this.#stop = this.#clock.after(Math.max(0, this.#at - now), () => {
			this.#wait();
			this.#comment(this.#part(this.#turns++));
		});
	}

	#comment(part: Set<Connection>): void {
		visitInTurns(this.#clock, part, COMMENTS_AT_ONCE, (connection) => {
			const { room } = connection;
			// A client that reads slowly still has buffered bytes to receive.
			if (room !== null && room > 0) connection.write(keepAliveComment);
			else if (room !== null && room <= -DEFAULT_MAX_BUFFERED_BYTES) void untilRead(connection, this.#clock);
			return 1;
		});
	}
}
