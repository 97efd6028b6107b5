import { Buffer } from 'node:buffer';

/** Bounds of what is kept for clients that come back, for each session. */
export interface HistoryLimits {
	/** Events kept (default 1,000); 0 keeps none. */
	readonly maxEvents: number;
	/** Bytes kept, of event text (default 1 MiB). The newest event is kept whatever its size. */
	readonly maxBytes: number;
	/** Age of the oldest event kept, in milliseconds (default 10 minutes). */
	readonly maxAgeMs: number;
}

/** What is kept unless an option says otherwise. */
export const DEFAULT_HISTORY_LIMITS: HistoryLimits = Object.freeze({
	maxEvents: 1_000,
	maxBytes: 1024 * 1024,
	maxAgeMs: 10 * 60_000,
});

/** One event as it was sent, without its id line. */
export interface HistoryEvent {
	/** Its place in the order of all events of the manager. */
	readonly offset: number;
	/** The request stream it went to; empty for the session stream. */
	readonly name: string;
	readonly data: string;
	readonly at: number;
}

/** The last events of one session, oldest first, within bounds. */
export class StreamHistory {
	readonly #limits: HistoryLimits;
	readonly #ondrop: (event: HistoryEvent) => void;
	/** What was dropped leaves a hole before `#head`. */
	#events: (HistoryEvent | undefined)[] = [];
	#head = 0;
	#bytes = 0;

	/** `ondrop` hears of each event that passes out of the bounds, oldest first. */
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

	/** Drops what is older than the retention at `now`. */
	expire(now: number): void {
		const oldest = now - this.#limits.maxAgeMs;
		for (let event = this.#events[this.#head]; event && event.at < oldest; event = this.#events[this.#head]) {
			this.#dropOldest();
		}
	}

	/** The events of stream `name` after `offset`, oldest first. */
	*after(offset: number, name: string): Generator<HistoryEvent, void> {
		for (let index = this.#head; index < this.#events.length; index++) {
			const event = this.#events[index];
			if (event !== undefined && event.offset > offset && event.name === name) yield event;
		}
	}

	/** The offset of the newest event that was sent at the time `at` or before; `undefined` when none is kept. */
	newestUntil(at: number): number | undefined {
		for (let index = this.#events.length - 1; index >= this.#head; index--) {
			const event = this.#events[index];
			if (event !== undefined && event.at <= at) return event.offset;
		}
		return undefined;
	}

	/** Forgets every event of stream `name`. */
	forget(name: string): void {
		this.#events = this.#events.slice(this.#head).filter((event) => event?.name !== name);
		this.#head = 0;
		this.#bytes = this.#events.reduce((bytes, event) => bytes + Buffer.byteLength(event?.data ?? ''), 0);
	}

	#dropOldest(): void {
		const event = this.#events[this.#head];
		if (event === undefined) return;
		// Without the hole, the array would hold on to the text of what was dropped.
		this.#events[this.#head++] = undefined;
		this.#bytes -= Buffer.byteLength(event.data);
		// Dropping from the front one by one would copy the whole array each time.
		if (this.#head > 64 && this.#head * 2 > this.#events.length) {
			this.#events = this.#events.slice(this.#head);
			this.#head = 0;
		}
		this.#ondrop(event);
	}
}
