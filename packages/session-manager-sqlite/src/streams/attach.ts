import {
	BROADCAST_CHANNEL,
	type BrokerAttached,
	type BrokerPosition,
	type BrokerStart,
	type HistoryLimits,
	type HistorySlice,
	parseStreamId,
	type StreamPosition,
} from '@holdfast/session-manager/custom';
import type { SqliteBus } from '../bus.js';
import { MESSAGE, type Transaction } from '../transaction.js';
import { StreamLog, type StreamRow } from './stream-log.js';

/** A request stream reads no broadcasts. */
const noBroadcasts: HistorySlice = Object.freeze({ epoch: '0', start: 0, events: [], gap: false });

/** Who wants to hold which stream, from where on. */
export interface Wish {
	readonly id: string;
	readonly token: string;
	/** Where it begins; without a position, with what nobody got. */
	readonly after: BrokerStart;
	/** Whether the stream is only taken where the token still holds it. */
	readonly keep: boolean;
	/** Where the broadcasts begin for the first holder of a session stream. */
	readonly since: StreamPosition | undefined;
}

/** Takes a stream over and reads what its new holder must deliver. */
export function attach(transaction: Transaction, bus: SqliteBus, limits: HistoryLimits, wish: Wish): BrokerAttached {
	const { id, token, keep, since } = wish;
	const { sessionId, name } = parseStreamId(id);
	const { process } = bus;
	const { world } = transaction;
	const found = StreamLog.find(transaction, sessionId, limits);
	const held = found?.stream(id);
	// A stream without a holder was deleted, or lost by the store: it is over.
	if (keep && held?.token !== token) return nothing(held?.token === undefined ? 'ended' : 'superseded');
	const after = isFollowed(held, wish.after) ? {} : wish.after;
	let stream = (found?.expire() ?? 0) > 0 ? found?.stream(id) : held;
	// Its last event expired.
	if (found !== undefined && stream?.over !== undefined && stream.dropped >= stream.over) {
		found.forgetRow(id);
		stream = undefined;
	}
	// Anybody can make up the name of a stream.
	if (after.own !== undefined && after.of === undefined && name !== '' && stream === undefined) {
		return nothing(endedBefore(held, after.own.offset) ? 'ended' : 'unknown');
	}
	const log = found ?? StreamLog.at(transaction, sessionId, limits);
	const place =
		after.own === undefined
			? undelivered(transaction, bus, limits, log, id, stream)
			: { ...positioned(after.own), isUncertain: after.of !== undefined && stream === undefined };
	if (stream?.over !== undefined && stream.over <= place.start) return nothing('ended');
	const own = slice(transaction, log, id, place, stream?.dropped ?? 0);
	const former = stream?.process;
	const order = transaction.next();
	if (stream?.token !== token && former !== undefined && bus.isAlive(former, transaction.db)) {
		transaction.post(former, MESSAGE.taken, id, String(order));
	}
	if (keep || name !== '') {
		const { began = own.start, broadcasts, uncertain = false } = (keep ? stream : undefined) ?? {};
		log.take(id, { token, process, began, broadcasts, uncertain: uncertain || own.gap }, stream !== undefined);
		if (name === '') log.see(undefined);
		else log.use();
		return { outcome: 'taken', order, own, broadcasts: noBroadcasts };
	}
	const waiting = log.undelivered ?? place.handed;
	const begin =
		after.broadcasts ??
		(waiting !== undefined ? { epoch: waiting > world.epochSince ? world.epoch : '', offset: waiting } : undefined) ??
		(log.isSeen ? undefined : since);
	const broadcasts = readBroadcasts(transaction, limits, begin);
	const given = { began: own.start, broadcasts: broadcasts.start, uncertain: own.gap || broadcasts.gap };
	log.take(id, { token, process, ...given }, stream !== undefined);
	log.see(undefined);
	return { outcome: 'taken', order, own, broadcasts };
}

/** Reads the broadcasts after a position, or none where there is no position. */
export function readBroadcasts(
	transaction: Transaction,
	limits: HistoryLimits,
	after: StreamPosition | undefined,
): HistorySlice {
	const { epoch } = transaction.world;
	const { last } = transaction;
	if (after === undefined) return { epoch, start: last, events: [], gap: false };
	const log = StreamLog.find(transaction, BROADCAST_CHANNEL, limits);
	if (log === undefined)
		return { epoch, start: Math.min(after.offset, last), events: [], gap: isLost(transaction, after) };
	log.expire();
	const stream = log.stream(BROADCAST_CHANNEL);
	return slice(transaction, log, BROADCAST_CHANNEL, { ...positioned(after), born: 0 }, stream?.dropped ?? 0);
}

/**
 * Returns whether the holder of a stream, which did not detach, was given anything up to an offset: nobody knows what
 * of it reached a client.
 */
export function wasGiven(
	transaction: Transaction,
	limits: HistoryLimits,
	log: StreamLog,
	id: string,
	{ since, began, broadcasts, uncertain }: StreamRow,
	upTo: number,
): boolean {
	if (uncertain || isOfOldEpoch(transaction, since) || log.hasBetween(id, began, upTo)) return true;
	if (broadcasts === undefined) return false;
	const all = StreamLog.find(transaction, BROADCAST_CHANNEL, limits);
	return all?.hasBetween(BROADCAST_CHANNEL, broadcasts, upTo) ?? false;
}

/** Records that everything up to `delivered` was written to a client, and that nobody holds the stream any more. */
export function detach(
	transaction: Transaction,
	limits: HistoryLimits,
	id: string,
	token: string,
	delivered: BrokerPosition,
): void {
	const { sessionId, name } = parseStreamId(id);
	const log = StreamLog.find(transaction, sessionId, limits);
	if (log === undefined || log.stream(id)?.token !== token) return;
	const { own, broadcasts } = delivered;
	const { epoch } = transaction.world;
	log.free(id, own.offset, own.epoch !== epoch);
	if (name === '') log.see(broadcasts.epoch === epoch ? broadcasts.offset : 0);
}

/** Where a slice of a history begins. */
interface Place {
	readonly start: number;
	/** Whether something before may be lost. */
	readonly isUncertain: boolean;
	/** The epoch of the position; `undefined` for one of this file. */
	readonly epoch?: string;
	/** Up to where a dead process handed over. */
	readonly handed?: number | undefined;
	/** A position before it is of another history. */
	readonly born?: number;
}

function positioned({ epoch, offset }: StreamPosition): Place {
	return { start: offset, isUncertain: false, epoch };
}

/** Returns where the events begin that nobody got. */
function undelivered(
	transaction: Transaction,
	bus: SqliteBus,
	limits: HistoryLimits,
	log: StreamLog,
	id: string,
	stream: StreamRow | undefined,
): Place {
	const { last } = transaction;
	if (stream === undefined) return { start: last, isUncertain: false };
	const { process, since, undelivered, uncertain } = stream;
	if (process === undefined) {
		const isOld = undelivered !== undefined && isOfOldEpoch(transaction, undelivered);
		return { start: undelivered ?? last, isUncertain: isOld || uncertain };
	}
	if (bus.isAlive(process, transaction.db)) {
		return { start: last, isUncertain: wasGiven(transaction, limits, log, id, stream, last) };
	}
	const handed = Math.max(since, bus.peers.handed(process, transaction.db));
	return { start: Math.min(handed, last), isUncertain: wasGiven(transaction, limits, log, id, stream, handed), handed };
}

/** Returns whether another holder has had a stream since the one whose position it is. */
function isFollowed(stream: StreamRow | undefined, { of }: BrokerStart): boolean {
	if (of === undefined || stream === undefined || stream.token === of) return false;
	return stream.token !== undefined || stream.undelivered !== undefined;
}

function isOfOldEpoch({ world }: Transaction, offset: number): boolean {
	return offset <= world.epochSince && world.epochSince > 0;
}

function slice(transaction: Transaction, log: StreamLog, channel: string, place: Place, dropped: number): HistorySlice {
	const { last, world } = transaction;
	const { epoch = world.epoch, born = place.epoch === undefined ? 0 : log.born } = place;
	const gap =
		place.isUncertain || epoch !== world.epoch || place.start < dropped || place.start < born || place.start > last;
	const start = Math.min(place.start, last);
	return { epoch: world.epoch, start, events: log.after(channel, start), gap };
}

function isLost({ world, last }: Transaction, { epoch, offset }: StreamPosition): boolean {
	return epoch !== world.epoch || offset > last;
}

function endedBefore(stream: StreamRow | undefined, offset: number): boolean {
	return stream?.over !== undefined && stream.over <= offset;
}

function nothing(outcome: Exclude<BrokerAttached['outcome'], 'taken'>): BrokerAttached {
	return { outcome, order: 0, own: noBroadcasts, broadcasts: noBroadcasts };
}
