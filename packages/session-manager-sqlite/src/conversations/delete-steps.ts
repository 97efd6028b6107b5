import { bound, type SqliteConnection } from '../file/connection.js';
import { nextPlaces } from './next-places.js';
import { placesOf } from './places.js';
import { keyOf } from './rows.js';
import { leaveShelves } from './shelves.js';
import { contextStatements, discoveryStatements, headStatements, messageStatements } from './statements.js';
import { removeWordsBetween } from './words.js';

/** How many places one step clears. */
const CLEARED_AT_ONCE = 500;

/** Makes a conversation that was last used before a time unknown to everybody. Returns `false` where it is no such. */
export function abandon(db: SqliteConnection, id: string, unusedSince = Number.POSITIVE_INFINITY): boolean {
	const row = db.get(headStatements.read, bound(id));
	if (row === undefined || Number(row['used_at']) >= unusedSince) return false;
	db.run(headStatements.abandon, bound(id));
	db.run(headStatements.removeMembers, keyOf(row));
	return true;
}

/** Removes some of what is left of conversations that are unknown to everybody. Returns whether there may be more. */
export function clearSome(db: SqliteConnection): boolean {
	const row = db.get(headStatements.abandoned);
	if (row === undefined) return false;
	const key = keyOf(row);
	const places = nextPlaces(db, placesOf(key), CLEARED_AT_ONCE);
	if (places === undefined) {
		leaveShelves(db, key);
		db.run(headStatements.delete, key);
		return true;
	}
	removeWordsBetween(db, ...places);
	for (const { delete: sql } of [messageStatements, discoveryStatements, contextStatements]) db.run(sql, ...places);
	return true;
}
