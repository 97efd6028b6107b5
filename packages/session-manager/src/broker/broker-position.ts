import { parseEventId, unmarkPosition } from '../contract/event-id.js';

/** A place in a log. Offsets grow; an epoch changes whenever the store may have lost events. */
export interface StreamPosition {
	readonly epoch: string;
	readonly offset: number;
}

/** A place in both logs that a session stream draws from; a request stream draws from its own only. */
export interface BrokerPosition {
	readonly own: StreamPosition;
	readonly broadcasts: StreamPosition;
}

/** One event of a log. */
export interface BrokerEvent {
	readonly offset: number;
	readonly data: string;
}

/** What a log has after a place. */
export interface HistorySlice {
	readonly epoch: string;
	/** The place itself: what was asked for, or where the store says that the undelivered begin. */
	readonly start: number;
	/** What follows, oldest first. */
	readonly events: readonly BrokerEvent[];
	/** Whether events after the place may be missing. */
	readonly gap: boolean;
}

/** How an attempt to hold a stream ended. */
export interface BrokerAttached {
	/** `taken`: it is ours; `superseded`: a newer holder has it; `ended`: the stream is over and nothing follows. */
	readonly outcome: 'taken' | 'superseded' | 'ended';
	readonly own: HistorySlice;
	readonly broadcasts: HistorySlice;
}

/**
 * Writes a place in one log. The position of an event id is the place in the stream's own log and that in the broadcasts, with
 * `-` between them. Of a broadcast, every stream writes the same: it is kept.
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

/** Reads the place that an event id of stream `name` tells; `undefined` when it is no such id. */
export function parsePosition(eventId: string, name: string): BrokerPosition | undefined {
	const id = parseEventId(eventId);
	const match = /^([a-z0-9]+)-([a-z0-9]+)-([a-z0-9]+)-([a-z0-9]+)$/.exec(unmarkPosition(id?.position ?? ''));
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
