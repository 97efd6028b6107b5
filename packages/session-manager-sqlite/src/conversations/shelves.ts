import { bound, numberOf, type SqliteConnection } from '../file/connection.js';
import { shelfStatements } from './statements.js';

/**
 * When a shelf is full, in words; a text counts as {@link TEXT} words more. It bounds what one look into the index
 * reads, and so how long it takes.
 */
const ROOM = 65_536;
const TEXT = 16;
/** How many conversations of somebody are read at once. */
const PAGE = 1_000;

/**
 * Returns the shelf for a text of a conversation, and notes that it is there. What is added to the conversations of
 * an owner fills one shelf after the other. What is on a shelf stays there, whoever owns its conversation later.
 */
export function shelfFor(db: SqliteConnection, conversation: number, words: number): number {
	const open = numberOf(db.get(shelfStatements.fill, words + TEXT, conversation, ROOM)?.['key']);
	if (open !== undefined) return open;
	const owned = Number(db.get(shelfStatements.newestOfOwner, conversation)?.['shelf'] ?? 0);
	const hasRoom = db.get(shelfStatements.withRoom, owned, ROOM) !== undefined;
	const shelf = hasRoom ? owned : Number(db.get(shelfStatements.add)?.['key']);
	db.run(shelfStatements.use, shelf, conversation);
	db.run(shelfStatements.note, conversation, shelf);
	db.run(shelfStatements.weigh, words + TEXT, shelf);
	return shelf;
}

/** Forgets on which shelves a conversation is. */
export function leaveShelves(db: SqliteConnection, conversation: number): void {
	db.run(shelfStatements.removeAlone, conversation, conversation);
	db.run(shelfStatements.leave, conversation);
}

/** Returns the shelves on which a conversation is, the newest first. */
export function shelvesOf(db: SqliteConnection, conversation: number): number[] {
	return db.all(shelfStatements.of, conversation).map(({ shelf }) => Number(shelf));
}

/** Finds the shelves on which the conversations are that somebody may read, the newest first. */
export function* shelvesReadableBy(db: SqliteConnection, principal: string): Generator<void, number[]> {
	const found = new Set<number>();
	for (let before = Number.MAX_SAFE_INTEGER; ; ) {
		const rows = db.all(shelfStatements.readable, bound(principal), before, PAGE);
		if (rows.length === 0) return [...found].sort((one, other) => other - one);
		for (const { conversation, shelf } of rows) {
			before = Math.min(before, Number(conversation));
			if (shelf !== null) found.add(Number(shelf));
		}
		yield;
	}
}
