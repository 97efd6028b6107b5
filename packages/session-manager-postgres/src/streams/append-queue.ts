import { BROADCAST_CHANNEL } from '@holdfast/session-manager/custom';
import { AppendBatch, type Appended } from './append-batch.js';
import { partsOf } from './stream-parts.js';

/** How many events, and how many bytes of them, one statement appends. */
const MAX_EVENTS = 1_000;
const MAX_BYTES = 1024 * 1024;
/** How many statements wait for their replies at once; the events that come meanwhile go in the next one together. */
const MAX_IN_FLIGHT = 2;
/** The longest session id and name, in bytes: an index entry has room for both. */
const MAX_NAME_BYTES = 1_300;

interface Waiting extends Appended {
	readonly resolve: (offsets: (number | undefined)[]) => void;
	readonly reject: (error: unknown) => void;
}

/**
 * Appends in the order of the calls what came at about the same time together: one commit for many events costs little
 * more than one for one.
 */
export class AppendQueue {
	/** Runs the statement that appends a batch; returns its result. */
	readonly #append: (batch: AppendBatch) => Promise<string>;
	#waiting: Waiting[] = [];
	#inFlight = 0;
	#scheduled = false;

	constructor(append: (batch: AppendBatch) => Promise<string>) {
		this.#append = append;
	}

	/** Appends an event to each of `ids`; returns the offsets. */
	add(ids: readonly string[], data: string): Promise<(number | undefined)[]> {
		for (const id of ids) {
			if (partsOf(id).some((part) => Buffer.byteLength(part) > MAX_NAME_BYTES))
				return Promise.reject(
					new TypeError(`A stream id may have ${MAX_NAME_BYTES} bytes before and after its space.`),
				);
		}
		return new Promise((resolve, reject) => {
			this.#waiting.push({ ids, data, bytes: Buffer.byteLength(data), resolve, reject });
			if (this.#scheduled || this.#inFlight >= MAX_IN_FLIGHT) return;
			this.#scheduled = true;
			queueMicrotask(() => {
				this.#scheduled = false;
				if (this.#inFlight < MAX_IN_FLIGHT) this.#send();
			});
		});
	}

	/** Sends everything that waits, because what is sent next must come after it. */
	flush(): void {
		while (this.#waiting.length > 0) this.#send();
	}

	#send(): void {
		const events = this.#next();
		if (events.length === 0) return;
		const batch = new AppendBatch(events);
		this.#inFlight++;
		this.#append(batch).then(
			(result) => {
				for (const [index, offsets] of batch.offsets(result).entries()) events[index]?.resolve(offsets);
				this.#replied();
			},
			(error) => {
				// What waited behind it has waited as long.
				const waiting = this.#waiting;
				this.#waiting = [];
				for (const { reject } of [...events, ...waiting]) reject(error);
				this.#replied();
			},
		);
	}

	#replied(): void {
		this.#inFlight--;
		if (this.#inFlight < MAX_IN_FLIGHT) this.#send();
	}

	#next(): Waiting[] {
		let events = 0;
		let bytes = 0;
		let count = 0;
		const isBroadcast = this.#waiting[0]?.ids[0] === BROADCAST_CHANNEL;
		for (const { ids, bytes: size } of this.#waiting) {
			events += ids.length;
			bytes += size;
			if (count > 0 && (events > MAX_EVENTS || bytes > MAX_BYTES)) break;
			// Notifications to one node and to all go in packs of their own, whose order is that of their statements.
			if ((ids[0] === BROADCAST_CHANNEL) !== isBroadcast) break;
			count++;
		}
		return this.#waiting.splice(0, count);
	}
}
