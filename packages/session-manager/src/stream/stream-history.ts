import { Buffer } from 'node:buffer';

/** Limits of the history that is kept for each session, so that clients can resume. */
export interface HistoryLimits {
	/**
	 * How many events are kept; 0 keeps none.
	 *
	 * @default 1,000
	 */
	readonly maxEvents: number;
	/**
	 * How many bytes of event text are kept. The newest event is kept whatever its size.
	 *
	 * @default 1 MiB
	 */
	readonly maxBytes: number;
	/**
	 * The age of the oldest event that is kept, in milliseconds.
	 *
	 * @default 10 minutes
	 */
	readonly maxAgeMs: number;
}

/** As good as for ever, and stores can still add to it and multiply it, in milliseconds. */
const MAX_AGE_MS = 1e12;

/** The default history limits. */
export const DEFAULT_HISTORY_LIMITS: HistoryLimits = Object.freeze({
	maxEvents: 1_000,
	maxBytes: 1024 * 1024,
	maxAgeMs: 10 * 60_000,
});

/**
 * Returns the limits that are given, with the default of each that is left out or `undefined`. Stores count in whole
 * numbers: `maxEvents` and `maxBytes` may be infinite, `maxAgeMs` is always finite.
 */
export function historyLimits({ maxEvents, maxBytes, maxAgeMs }: Partial<HistoryLimits> = {}): HistoryLimits {
	return Object.freeze({
		maxEvents: Math.floor(maxEvents ?? DEFAULT_HISTORY_LIMITS.maxEvents),
		maxBytes: Math.floor(maxBytes ?? DEFAULT_HISTORY_LIMITS.maxBytes),
		maxAgeMs: Math.min(Math.ceil(maxAgeMs ?? DEFAULT_HISTORY_LIMITS.maxAgeMs), MAX_AGE_MS),
	});
}

/** One event as it was sent, without its `id:` line. */
export interface HistoryEvent {
	/** Its position in the order of all events of the manager. */
	readonly offset: number;
	/** The request stream it was sent to; empty for the session stream. */
	readonly name: string;
	readonly data: string;
	/** When it was sent, on the monotonic clock. */
	readonly at: number;
}

/** The newest events of one session, oldest first, within limits. */
export class StreamHistory {
	readonly #limits: HistoryLimits;
	readonly #ondrop: (event: HistoryEvent) => void;
	/** A dropped event leaves a hole before `#head`. */
	#events: (HistoryEvent | undefined)[] = [];
	#head = 0;
	#bytes = 0;

	/** `ondrop` is called with each event that exceeds the limits, oldest first. */
	constructor(limits: HistoryLimits, ondrop: (event: HistoryEvent) => void) {
		this.#limits = limits;
		this.#ondrop = ondrop;
	}

	get size(): number {
		return this.#events.length - this.#head;
	}

	append(event: HistoryEvent): void {
		this.#events.push(event);
		this.#bytes += Buffer.byteLength(event.data);
		while (this.size > this.#limits.maxEvents || (this.#bytes > this.#limits.maxBytes && this.size > 1)) {
			this.#dropOldest();
		}
	}

	/** Drops the events that are older than the retention at `now`, on the monotonic clock. */
	expire(now: number): void {
		const oldest = now - this.#limits.maxAgeMs;
		for (let event = this.#events[this.#head]; event && event.at < oldest; event = this.#events[this.#head]) {
			this.#dropOldest();
		}
	}

	/** Yields the events of stream `name` after `offset`, oldest first. */
	*after(offset: number, name: string): Generator<HistoryEvent, void> {
		for (let index = this.#head; index < this.#events.length; index++) {
			const event = this.#events[index];
			if (event !== undefined && event.offset > offset && event.name === name) yield event;
		}
	}

	/** Removes every event of stream `name`. */
	forget(name: string): void {
		this.#events = this.#events.slice(this.#head).filter((event) => event?.name !== name);
		this.#head = 0;
		this.#bytes = this.#events.reduce((bytes, event) => bytes + Buffer.byteLength(event?.data ?? ''), 0);
	}

	#dropOldest(): void {
		const event = this.#events[this.#head];
		if (event === undefined) return;
		// Without the hole, the array would retain the text of the dropped event.
		this.#events[this.#head++] = undefined;
		this.#bytes -= Buffer.byteLength(event.data);
		// Shifting events one by one would copy the whole array each time.
		if (this.#head > 64 && this.#head * 2 > this.#events.length) {
			this.#events = this.#events.slice(this.#head);
			this.#head = 0;
		}
		this.#ondrop(event);
	}
}
