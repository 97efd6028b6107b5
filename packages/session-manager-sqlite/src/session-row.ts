import type { SessionRecord } from '@holdfast/session-manager/custom';
import { bound, numberOf, type Row, type SqliteConnection } from './file/connection.js';
import { sessionStatements, stateStatements, subscriptionStatements } from './statements/info.js';

/** What stands for never. */
const NEVER = 9e15;

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

/** Removes a session with everything. */
export function removeSession(db: SqliteConnection, row: Row): void {
	const key = Number(row['key']);
	discount(db, row);
	db.run(subscriptionStatements.removeAll, key);
	db.run(stateStatements.removeAll, key);
	db.run(sessionStatements.remove, key);
}

/**
 * Frees what is left of up to `limit` sessions that have ended, or are gone. Returns how many it looked at, and how
 * many it freed.
 */
export function sweepSessions(
	db: SqliteConnection,
	now: number,
	limit: number,
): { readonly seen: number; readonly freed: number } {
	const due = db.all(sessionStatements.due, now, limit);
	let freed = 0;
	for (const row of due) {
		const [key, ends, gone] = [Number(row['key']), Number(row['ends']), Number(row['gone'])];
		if (ends > now) db.run(sessionStatements.postpone, ends, key);
		else if (gone <= now) {
			removeSession(db, row);
			freed++;
		} else {
			discount(db, row);
			db.run(subscriptionStatements.removeAll, key);
			db.run(sessionStatements.postpone, gone, key);
		}
	}
	return { seen: due.length, freed };
}
