import { numberOf, type SqliteConnection } from '../file/connection.js';
import { contextStatements, discoveryStatements, messageStatements } from './statements.js';

/** What has places. */
const TABLES = Object.freeze([messageStatements, discoveryStatements, contextStatements]);

/**
 * Returns the next `count` places at which something may be, from one place on and before another; `undefined` where
 * nothing is.
 */
export function nextPlaces(
	db: SqliteConnection,
	[from, to]: readonly [from: number, to: number],
	count: number,
): readonly [from: number, to: number] | undefined {
	const places = TABLES.map(({ first }) => numberOf(db.get(first, from, to)?.['key'])).filter(
		(place) => place !== undefined,
	);
	if (places.length === 0) return undefined;
	const place = Math.min(...places);
	return [place, Math.min(place + count, to)];
}
