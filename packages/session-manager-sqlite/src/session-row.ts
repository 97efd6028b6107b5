import type { SessionRecord } from '@holdfast/session-manager/custom';
import { bound, numberOf, type Row, type SqliteConnection } from './file/connection.js';
import { sessionStatements, stateStatements, subscriptionStatements } from './statements/info.js';

/** What stands for never. */
const NEVER = 9e15;
/** About how many rows one step frees. */
export const FREED_AT_ONCE = 1_000;
/** How many sessions one step sweeps. */
const SWEPT_AT_ONCE = 200;
/** As how much of a long value counts as a row, in bytes: a page of the file. */
const PAGE_BYTES = 4_096;

/** What says whether a session lives, and is kept. */
export interface SessionRow {
	readonly key: number;
	readonly ends: number;
	readonly gone: number;
	readonly row: Row;
}

/** Returns a living session; `undefined` for an unknown one. `statement` says which columns. */
export function findLiving(
	db: SqliteConnection,
	id: string,
	now: number,
	statement: string = sessionStatements.life,
): SessionRow | undefined {
	const session = findKept(db, id, now, statement);
	return session !== undefined && session.ends > now ? session : undefined;
}

/** Returns a session that lives, or has ended and is still kept. */
export function findKept(
	db: SqliteConnection,
	id: string,
	now: number,
	statement: string = sessionStatements.life,
): SessionRow | undefined {
	const row = db.get(statement, bound(id));
	if (row === undefined || Number(row['gone']) <= now) return undefined;
	return { key: Number(row['key']), ends: Number(row['ends']), gone: Number(row['gone']), row };
}

/** Returns when a session ends if it is not used after `usedAt`, and when it is gone then. */
export function lifeOf(
	{ idleTtlMs, keepEndedMs }: Pick<SessionRecord, 'idleTtlMs' | 'keepEndedMs'>,
	usedAt: number,
	overAt: number,
): { readonly ends: number; readonly gone: number } {
	const ends = Math.min(NEVER, usedAt + (idleTtlMs ?? NEVER), overAt);
	return { ends, gone: ends + (keepEndedMs ?? 0) };
}

/** Returns the time of the store's clock of a date on a clock that now shows `here`; a date far ahead for none. */
export function timeOf(date: number | undefined, here: number, now: number): number {
	return date === undefined ? NEVER : now + date - here;
}

/** Returns whom a session counts for in a full store, and whether that is a verified principal. */
export function ownerOf({ principal, remoteAddress }: Pick<SessionRecord, 'principal' | 'remoteAddress'>): {
	readonly owner: string;
	readonly isVerified: boolean;
} {
	const isVerified = principal !== undefined && remoteAddress === undefined;
	return { owner: isVerified ? `principal:${principal}` : `unverified:${remoteAddress ?? ''}`, isVerified };
}

/** Counts a session for its owner. */
export function count(db: SqliteConnection, owner: string): void {
	db.run(sessionStatements.count, 1);
	db.run(sessionStatements.own, bound(owner));
}

/** Counts a session no more that was counted, if it was. */
export function discount(db: SqliteConnection, { key, owner, counted }: Row): void {
	if (numberOf(counted) !== 1 || owner === undefined || key === undefined) return;
	db.run(sessionStatements.count, -1);
	db.run(sessionStatements.disown, owner);
	db.run(sessionStatements.forgetOwner, owner);
	db.run(sessionStatements.discount, key);
}

/**
 * Removes a session, and frees up to `room` of its rows. Returns how many: with fewer than `room`, those were all;
 * otherwise nobody finds the rest, and sweeping frees it.
 */
export function removeSession(db: SqliteConnection, row: Row, room = FREED_AT_ONCE): number {
	const key = Number(row['key']);
	discount(db, row);
	let freed = removeSubscriptions(db, key, room);
	if (freed < room) freed += db.all(stateStatements.removeSome, key, room - freed).length;
	db.run(freed < room ? sessionStatements.remove : sessionStatements.abandon, key);
	return freed;
}

/** Removes up to `room` subscriptions of a session. Returns how many; fewer than `room` were all. */
export function removeSubscriptions(db: SqliteConnection, key: number, room = FREED_AT_ONCE): number {
	return db.all(subscriptionStatements.removeSome, key, key, room).length;
}

/**
 * Takes one step to free what is left of sessions that have ended, or are gone: of `limit` at most. Returns how many it
 * looked at, and how many it freed.
 */
export function sweepSessions(
	db: SqliteConnection,
	now: number,
	limit: number,
): { readonly seen: number; readonly freed: number } {
	let [seen, freed, room] = [0, 0, FREED_AT_ONCE];
	for (const row of db.all(sessionStatements.due, now, Math.min(limit, SWEPT_AT_ONCE))) {
		if (room <= 0) break;
		seen++;
		const [key, ends, gone] = [Number(row['key']), Number(row['ends']), Number(row['gone'])];
		if (ends > now) db.run(sessionStatements.postpone, ends, key);
		else if (gone <= now) {
			const rows = removeSession(db, row, room);
			if (rows < room) freed++;
			room -= rows + Math.floor(Number(row['state_bytes']) / PAGE_BYTES);
		} else {
			discount(db, row);
			const rows = removeSubscriptions(db, key, room);
			if (rows < room) db.run(sessionStatements.postpone, gone, key);
			room -= rows;
		}
	}
	return { seen, freed };
}
