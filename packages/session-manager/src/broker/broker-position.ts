import { parseEventId, unmarkPosition } from '../contract/event-id.js';

/** A position in a history. */
export interface StreamPosition {
	/**
	 * Must change whenever the store may have lost events, and must be 1 to 32 letters and digits of ASCII: it is a
	 * part of event ids.
	 */
	readonly epoch: string;
	/** A safe integer that is greater than 0 for events, and increases with each event of the history. */
	readonly offset: number;
}

/** The beginning of a history of which nothing is known. */
export const NOWHERE: StreamPosition = Object.freeze({ epoch: '', offset: 0 });

/**
 * A position in both histories that a session stream reads: its own and the broadcasts. A request stream reads only its
 * own.
 */
export interface BrokerPosition {
	readonly own: StreamPosition;
	readonly broadcasts: StreamPosition;
}

/** Where the slices of a new holder begin. Without a position, with what was never written to a client. */
export interface BrokerStart extends Partial<BrokerPosition> {
	/**
	 * The token of the holder of this node that stands there. The position then counts only where no other has had the
	 * stream since.
	 */
	readonly of?: string;
}

/** One event of a history. */
export interface BrokerEvent {
	readonly offset: number;
	readonly data: string;
}

/** The part of a history after a position. */
export interface HistorySlice {
	readonly epoch: string;
	/** The position itself: the requested one, or where the store says that undelivered events begin. */
	readonly start: number;
	/** The events that follow, oldest first. */
	readonly events: readonly BrokerEvent[];
	/** Whether events after the position may be missing. */
	readonly gap: boolean;
}

/**
 * Returns the part of `slice` after a position that is not before it. What may miss events as a whole may so in part.
 */
export function sliceAfter(slice: HistorySlice, { epoch, offset }: StreamPosition): HistorySlice {
	const isLost = epoch !== slice.epoch;
	const end = slice.events.at(-1)?.offset ?? slice.start;
	// A store that lost its end begins again before the position.
	const start = Math.max(slice.start, isLost ? Math.min(offset, end) : offset);
	const events = start === slice.start ? slice.events : slice.events.filter((event) => event.offset > start);
	return { epoch: slice.epoch, start, events, gap: slice.gap || isLost };
}

/** The result of an attempt to hold a stream. */
export interface BrokerAttached {
	/**
	 * `taken`: this holder has it; `superseded`: a newer holder has it; `ended`: the stream is over and nothing follows;
	 * `unknown`: nothing is known of the request stream in which a position was given, and nothing was created.
	 */
	readonly outcome: 'taken' | 'superseded' | 'ended' | 'unknown';
	/** A safe integer that is greater than that of every holder of the stream before; unused where it was not taken. */
	readonly order: number;
	readonly own: HistorySlice;
	/** Unused for a request stream, and where a stream is kept. */
	readonly broadcasts: HistorySlice;
}

/** The slices that were read for a holder, and, with that of its own history, when it took the stream. */
export type BrokerSlices = { readonly [Key in 'order' | keyof BrokerPosition]?: BrokerAttached[Key] | undefined };

/**
 * Throws where the result of a backend could not be used. Of any other epoch, every event id would be unreadable, and
 * every resume a gap. Without an order, a holder would never learn that it has been superseded.
 */
export function assertUsable({ order, own, broadcasts }: BrokerSlices): void {
	if (own !== undefined && !Number.isSafeInteger(order))
		throw new TypeError(`The order of a holder must be a safe integer, not ${order}.`);
	for (const { epoch } of [own ?? [], broadcasts ?? []].flat()) {
		if (!/^[A-Za-z0-9]{1,32}$/.test(epoch))
			throw new TypeError(`An epoch must be 1 to 32 letters and digits, not ${JSON.stringify(epoch)}.`);
	}
}

/**
 * Writes a position in one history. An event id consists of the position in the stream's own history and the one in the
 * broadcasts, joined by `-`. The last text is cached, because every stream writes the same one for a broadcast.
 */
export function formatStreamPosition({ epoch, offset }: StreamPosition): string {
	if (offset !== lastOffset) {
		lastOffset = offset;
		lastText = offset.toString(36);
	}
	return `${epoch}-${lastText}`;
}

let lastOffset = 0;
let lastText = '0';

/** Parses what {@link formatStreamPosition} wrote. */
export function parseStreamPosition(text: string): StreamPosition | undefined {
	const [, epoch, offset] = /^([A-Za-z0-9]+)-([a-z0-9]+)$/.exec(text) ?? [];
	return epoch === undefined || offset === undefined ? undefined : { epoch, offset: Number.parseInt(offset, 36) };
}

/** Parses the position in an event id of stream `name`; `undefined` when it is not such an id. */
export function parsePosition(eventId: string, name: string): BrokerPosition | undefined {
	const id = parseEventId(eventId);
	const match = /^([A-Za-z0-9]+)-([a-z0-9]+)-([A-Za-z0-9]+)-([a-z0-9]+)$/.exec(unmarkPosition(id?.position ?? ''));
	const [, ownEpoch, ownOffset, epoch, offset] = match ?? [];
	if (
		id?.name !== name ||
		ownEpoch === undefined ||
		ownOffset === undefined ||
		epoch === undefined ||
		offset === undefined
	)
		return undefined;
	return {
		own: { epoch: ownEpoch, offset: Number.parseInt(ownOffset, 36) },
		broadcasts: { epoch, offset: Number.parseInt(offset, 36) },
	};
}
