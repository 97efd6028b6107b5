import { Buffer } from 'node:buffer';
import { BROADCAST_CHANNEL, endsStream, type HistoryLimits, parseStreamId } from '@holdfast/session-manager/custom';
import { bound, numberOf, type Row, textOf } from '../file/connection.js';
import { historyStatements, logStatements, streamStatements } from '../statements/streams.js';
import { EVERY_PROCESS, MESSAGE, type Transaction } from '../transaction.js';

/** How long an event is kept for a process that must still read it, in milliseconds. */
export const UNREAD_MS = 5_000;
/** How many rows of a log are removed at once. */
const REMOVED_AT_ONCE = 1_000;
/** How many events are read to find those that are too old. */
const PAGE = 100;
/** How much longer than an event what is known of a session's streams is kept. */
const KEPT_LONGER = 6;

/** A row of the table of streams. */
export interface StreamRow {
	readonly dropped: number;
	readonly over: number | undefined;
	readonly undelivered: number | undefined;
	readonly uncertain: boolean;
	readonly token: string | undefined;
	readonly process: number | undefined;
	readonly since: number;
	/** Where the slice of its holder began. */
	readonly began: number;
	/** Where the broadcasts of its holder began; `undefined`: not known. */
	readonly broadcasts: number | undefined;
	readonly usedAt: number;
}

/** What a holder is given. */
interface Given {
	readonly token: string;
	readonly process: number;
	readonly began: number;
	readonly broadcasts: number | undefined;
	readonly uncertain: boolean;
}

/** The history of one session, or of the broadcasts, in a transaction. */
export class StreamLog {
	readonly key: number;
	/** A position before it is from another history. */
	readonly born: number;
	/** Whether the session stream was ever held. */
	readonly isSeen: boolean;
	/** Where the broadcasts begin that nobody got. */
	readonly undelivered: number | undefined;
	/** When the session ends; `undefined`: not known. */
	readonly endsAt: number | undefined;
	/** Whether the session is over. */
	readonly isOver: boolean;
	readonly #transaction: Transaction;
	readonly #limits: HistoryLimits;
	/** The newest event that is no history any more. */
	#trimmed: number;
	#events: number;
	#bytes: number;

	/** `row` is that of the log. */
	constructor(transaction: Transaction, limits: HistoryLimits, row: Row) {
		this.#transaction = transaction;
		this.#limits = limits;
		this.key = Number(row['key']);
		this.born = Number(row['born']);
		this.isSeen = row['seen'] === 1;
		this.undelivered = numberOf(row['undelivered']);
		this.endsAt = numberOf(row['ends_at']);
		this.isOver = this.endsAt !== undefined && this.endsAt <= transaction.now;
		this.#trimmed = Number(row['trimmed']);
		this.#events = Number(row['events']);
		this.#bytes = Number(row['bytes']);
	}

	/** Returns the log of a session; `undefined` where there is none, or the session is over. */
	static find(transaction: Transaction, sessionId: string, limits: HistoryLimits): StreamLog | undefined {
		const row = transaction.db.get(logStatements.read, bound(sessionId));
		if (row === undefined) return undefined;
		const log = new StreamLog(transaction, limits, row);
		if (!log.isOver) return log;
		// The sweeper frees it: whoever looks for it wants something else.
		log.remove(0);
		return undefined;
	}

	/** Returns the log of a session, which begins now where there is none. */
	static at(transaction: Transaction, sessionId: string, limits: HistoryLimits): StreamLog {
		return StreamLog.find(transaction, sessionId, limits) ?? StreamLog.#add(transaction, sessionId, limits);
	}

	static #add(transaction: Transaction, sessionId: string, limits: HistoryLimits): StreamLog {
		const { db, last, now } = transaction;
		const reapAt = now + limits.maxAgeMs;
		const row = db.get(logStatements.add, bound(sessionId), last, last, now, reapAt);
		return new StreamLog(transaction, limits, {
			...{
				key: row?.['key'] ?? 0,
				born: last,
				trimmed: last,
				events: 0,
				bytes: 0,
				seen: 0,
				undelivered: null,
				ends_at: null,
			},
		});
	}

	/** Says when the session ends. */
	endAt(time: number): void {
		this.#transaction.db.run(logStatements.end, time, time, this.key);
	}

	/** Returns a stream; `undefined` where nothing is known of it. */
	stream(channel: string): StreamRow | undefined {
		const row = this.#transaction.db.get(streamStatements.read, this.key, bound(channel));
		if (row === undefined) return undefined;
		return {
			dropped: Number(row['dropped']),
			over: numberOf(row['over']),
			undelivered: numberOf(row['undelivered']),
			uncertain: row['uncertain'] === 1,
			token: row['token'] === null ? undefined : textOf(row['token']),
			process: numberOf(row['process']),
			since: numberOf(row['since']) ?? 0,
			began: numberOf(row['began']) ?? numberOf(row['since']) ?? 0,
			broadcasts: numberOf(row['broadcasts']),
			usedAt: Number(row['used_at']),
		};
	}

	/**
	 * Appends an event and posts it to the process that holds the stream, or to every one. Returns its offset;
	 * `undefined` for a request stream that has ended.
	 */
	append(channel: string, data: string): number | undefined {
		const transaction = this.#transaction;
		const { db, now } = transaction;
		const isBroadcast = channel === BROADCAST_CHANNEL;
		const stream = this.stream(channel);
		if (stream?.over !== undefined) return undefined;
		const before = transaction.last;
		const target = isBroadcast ? EVERY_PROCESS : stream?.process;
		const offset = transaction.post(target, MESSAGE.event, channel, data, this.key);
		if (stream === undefined) {
			db.run(streamStatements.add, this.key, bound(channel), isBroadcast ? null : before, now);
		} else if (target === undefined && (stream.undelivered === undefined || this.#mayBeForgotten(stream.usedAt))) {
			db.run(streamStatements.wait, before, now, this.key, bound(channel));
		}
		if (!isBroadcast && parseStreamId(channel).name !== '' && endsStream(data)) {
			db.run(streamStatements.end, offset, this.key, bound(channel));
		}
		this.#events++;
		this.#bytes += Buffer.byteLength(data);
		this.#trim(false, REMOVED_AT_ONCE);
		this.#write();
		return offset;
	}

	/** Drops up to `room` events where they are too old, or too many. Returns how many; fewer than `room` were all. */
	expire(room = REMOVED_AT_ONCE): number {
		const dropped = this.#trim(true, room);
		if (dropped > 0) this.#write();
		return dropped;
	}

	/** Returns the events of a stream after an offset. */
	after(channel: string, offset: number): { readonly offset: number; readonly data: string }[] {
		if (this.#events === 0) return [];
		const after = Math.max(offset, this.#trimmed);
		const rows = this.#transaction.db.all(historyStatements.after, this.key, after, bound(channel));
		return rows.map(({ id, data }) => ({ offset: Number(id), data: textOf(data) }));
	}

	/** Returns whether there is, or was, an event of a stream after one offset, up to another. */
	hasBetween(channel: string, after: number, upTo: number): boolean {
		const { db } = this.#transaction;
		if ((this.stream(channel)?.dropped ?? 0) > after) return true;
		return db.get(historyStatements.between, this.key, after, upTo, bound(channel)) !== undefined;
	}

	/** Gives a stream, which may not be known yet, to a holder. {@link use} or {@link see} must follow. */
	take(channel: string, { token, process, began, broadcasts, uncertain }: Given, isKnown: boolean): void {
		const { db, last, now } = this.#transaction;
		const statement = isKnown ? streamStatements.take : streamStatements.addTaken;
		const given = [began, broadcasts ?? null, uncertain ? 1 : 0];
		db.run(statement, token, process, last, ...given, now, this.key, bound(channel));
	}

	/** Notes that a stream was used. */
	use(): void {
		this.#transaction.db.run(logStatements.use, this.#transaction.now, this.key);
	}

	/** Takes a stream from its holder. */
	free(channel: string, undelivered: number, isUncertain = false): void {
		const { db, now } = this.#transaction;
		db.run(streamStatements.free, undelivered, isUncertain ? 1 : 0, now, this.key, bound(channel));
	}

	/** Notes that the session stream is, or was, held, and where the broadcasts begin that nobody got. */
	see(undelivered: number | undefined): void {
		this.#transaction.db.run(logStatements.see, undelivered ?? null, this.#transaction.now, this.key);
	}

	/** Forgets one stream, and tells its holder. */
	forget(channel: string): void {
		const { db } = this.#transaction;
		const holder = this.stream(channel)?.process;
		if (holder !== undefined) this.#transaction.post(holder, MESSAGE.over, channel, '');
		for (const { id, size } of db.all(historyStatements.of, this.key, this.#trimmed, bound(channel))) {
			db.run(historyStatements.remove, Number(id));
			this.#events--;
			this.#bytes -= Number(size);
		}
		this.forgetRow(channel);
		this.#write();
	}

	/**
	 * Forgets up to `room` request streams that were unused for so long that they have no events left. Returns how many;
	 * fewer than `room` were all.
	 */
	forgetUnused(sessionId: string, room: number): number {
		const { db, now } = this.#transaction;
		// An event that waits is a use, too, where the last one is older than events may be.
		const before = now - 2 * this.#limits.maxAgeMs;
		return db.all(streamStatements.removeUnused, this.key, this.key, bound(sessionId), before, room).length;
	}

	/** Forgets what is known of a stream. */
	forgetRow(channel: string): void {
		this.#transaction.db.run(streamStatements.remove, this.key, bound(channel));
	}

	/** Whether anybody holds one of its streams. */
	get isHeld(): boolean {
		return this.#transaction.db.get(streamStatements.heldOf, this.key) !== undefined;
	}

	/**
	 * Forgets everything, and tells the holders. Frees up to `room` rows and returns how many: with fewer than `room`,
	 * those were all; otherwise nobody finds the rest, and the sweeper frees it.
	 */
	remove(room = REMOVED_AT_ONCE): number {
		const transaction = this.#transaction;
		const { db } = transaction;
		for (const held of db.all(streamStatements.heldOf, this.key)) {
			const channel = textOf(held['channel']);
			transaction.post(Number(held['process']), MESSAGE.over, channel, '');
			this.forgetRow(channel);
		}
		// Whoever comes back after an event of before must find that the history is another one.
		transaction.next();
		let freed = db.all(historyStatements.removeSome, this.key, room).length;
		if (freed < room) freed += db.all(streamStatements.removeSome, this.key, this.key, room - freed).length;
		db.run(freed < room ? logStatements.remove : logStatements.abandon, this.key);
		return freed;
	}

	/**
	 * Removes up to `room` of the events that are no history any more, once whoever must read them had the time to.
	 * Returns how many; fewer than `room` were all.
	 */
	sweep(room: number): number {
		const { db, now } = this.#transaction;
		const rows = db.all(historyStatements.trimmed, this.key, this.#trimmed, now - UNREAD_MS, room);
		for (const { id } of rows) {
			db.run(historyStatements.remove, Number(id));
			this.#transaction.purge(Number(id));
		}
		return rows.length;
	}

	/** Drops up to `room` events, and returns how many: what is too much, and with `byAge` also what is too old. */
	#trim(byAge: boolean, room: number): number {
		const { maxEvents, maxAgeMs } = this.#limits;
		const { db, now } = this.#transaction;
		let dropped = 0;
		while (this.#events > 0 && dropped < room && (byAge || this.#isTooMuch)) {
			const few = Math.min(room - dropped, byAge ? PAGE : Math.max(4, this.#events - maxEvents));
			const rows = db.all(historyStatements.oldest, this.key, this.#trimmed, few);
			for (const row of rows) {
				if (!this.#isTooMuch && Number(row['at']) >= now - maxAgeMs) return dropped;
				this.#drop(row);
				dropped++;
			}
			if (rows.length < few) break;
		}
		return dropped;
	}

	get #isTooMuch(): boolean {
		const { maxEvents, maxBytes } = this.#limits;
		return this.#events > maxEvents || (this.#bytes > maxBytes && this.#events > 1);
	}

	/** The newest dropped events are noted for each stream, so that a gap is one of that stream only. */
	#drop(row: Row): void {
		const { db, now, direct } = this.#transaction;
		const [id, target, channel] = [Number(row['id']), row['target'], textOf(row['channel'])];
		// Its holder may not have read it yet.
		const isOthers = target !== null && target !== direct;
		if (isOthers && Number(row['at']) > now - UNREAD_MS) {
			db.run(logStatements.hasten, now + UNREAD_MS, this.key);
		} else {
			db.run(historyStatements.remove, id);
			if (isOthers) this.#transaction.purge(id);
		}
		this.#trimmed = id;
		this.#events--;
		this.#bytes -= Number(row['size']);
		if (this.stream(channel)?.over === id) this.forgetRow(channel);
		else db.run(streamStatements.drop, id, this.key, bound(channel));
	}

	/** Whether a stream that was used at `usedAt` would be forgotten before what is written to it now. */
	#mayBeForgotten(usedAt: number): boolean {
		return usedAt < this.#transaction.now - this.#limits.maxAgeMs;
	}

	#write(): void {
		const { db, now } = this.#transaction;
		db.run(logStatements.write, this.#trimmed, this.#events, this.#bytes, now, this.key);
	}
}

/** Returns when what is known of the streams of a session that was used at `usedAt` may be forgotten. */
export function forgottenAt(usedAt: number, { maxAgeMs }: HistoryLimits): number {
	return usedAt + KEPT_LONGER * maxAgeMs;
}
