import { ERASED, erasedDiscovery } from '@holdfast/conversations/custom';
import { bound, type Row, type SqliteConnection } from '../file/connection.js';
import { removeValue } from './context-values.js';
import { nextPlaces } from './next-places.js';
import { placesOf } from './places.js';
import { discoveryOf, keyOf, messageOf } from './rows.js';
import { contextStatements, discoveryStatements, headStatements, messageStatements } from './statements.js';
import { addWords, removeWords } from './words.js';

/** How many places one step looks at. */
const ERASED_AT_ONCE = 100;

/** What a step of an erasure did. */
export interface ErasureStep {
	/** How much it was. */
	readonly erased: number;
	/** The place to go on from; `undefined` after the last step. */
	readonly next: number | undefined;
}

/** Erases some of what somebody wrote in the conversation of `row`: from one place on, or from the first. */
export function eraseSome(db: SqliteConnection, row: Row, principal: string, from?: number): ErasureStep {
	const [first, end] = placesOf(keyOf(row));
	const begin = from ?? first;
	// Where it was deleted meanwhile, another one may have its id.
	const places = begin < first ? undefined : nextPlaces(db, [begin, end], ERASED_AT_ONCE);
	if (places === undefined) return { erased: 0, next: undefined };
	return { erased: eraseBetween(db, row, principal, places), next: places[1] };
}

function eraseBetween(
	db: SqliteConnection,
	row: Row,
	principal: string,
	places: readonly [from: number, to: number],
): number {
	const by = bound(principal);
	// What is damaged is refused before anything is written.
	const messages = db.all(messageStatements.by, ...places, by).map((each) => ({
		place: keyOf(each),
		message: messageOf(each, 0),
	}));
	const discoveries = db.all(discoveryStatements.by, ...places, by).map((each) => ({
		place: keyOf(each),
		discovery: discoveryOf(each),
	}));
	const entries = db.all(contextStatements.by, ...places, by);
	const erased = messages.length + discoveries.length + entries.length;
	if (erased === 0) return 0;
	for (const { place, message } of messages) {
		const { by: _by, metadata: _metadata, archived: _archived, ...rest } = message;
		db.run(messageStatements.erase, JSON.stringify({ ...rest, content: ERASED }), place);
		removeWords(db, 'message', place);
		addWords(db, 'message', place, ERASED);
	}
	for (const { place, discovery } of discoveries) {
		db.run(discoveryStatements.erase, JSON.stringify(erasedDiscovery(discovery)), place);
		removeWords(db, 'discovery', place);
	}
	for (const entry of entries) removeValue(db, keyOf(entry));
	const freed = entries.reduce((sum, { bytes }) => sum + Number(bytes), 0);
	db.run(headStatements.changed, Number(row['changes']) + 1, -freed, keyOf(row));
	return erased;
}
