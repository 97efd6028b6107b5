import { type SearchKind, type SearchTerm, tokensOf } from '@holdfast/conversations/custom';
import { bound, type SqliteConnection } from '../file/connection.js';
import { conversationAt, placesOf } from './places.js';
import { shelfFor } from './shelves.js';
import { wordStatements } from './statements.js';

/** The kinds of items, by what is added to four times their key. */
const KINDS: readonly SearchKind[] = ['message', 'context', 'discovery'];

/** Something that an index found. */
export interface FoundItem {
	readonly kind: SearchKind;
	readonly key: number;
}

/** What to look for on a shelf. */
export interface Look {
	readonly shelf: number;
	readonly terms: readonly SearchTerm[];
	readonly kinds: readonly SearchKind[] | undefined;
}

/** Makes an item found by the words of `text`. */
export function addWords(db: SqliteConnection, kind: SearchKind, key: number, text: string): void {
	const tokens = tokensOf(text);
	const shelf = shelfFor(db, conversationAt(key), tokens.length);
	db.run(wordStatements.insert, rowOf(kind, key), onShelf(shelf, tokens));
}

/** Makes an item found no more. */
export function removeWords(db: SqliteConnection, kind: SearchKind, key: number): void {
	db.run(wordStatements.delete, rowOf(kind, key));
}

/** Makes nothing found any more from one place on, and before another. */
export function removeWordsBetween(db: SqliteConnection, from: number, to: number): void {
	db.run(wordStatements.deleteAll, from * 4, to * 4);
}

/** Returns the items on a shelf with all of the terms that somebody may read: `limit` at most, the newest. */
export function itemsReadableBy(
	db: SqliteConnection,
	principal: string,
	{ shelf, terms, kinds }: Look,
	limit: number,
): FoundItem[] {
	return db
		.all(wordStatements.readable, queryOf(shelf, terms), numbersOf(kinds), bound(principal), limit)
		.map(({ item }) => itemOf(item));
}

/** Returns the newest items on a shelf with all of the terms in a conversation: `limit` at most. */
export function itemsWithin(
	db: SqliteConnection,
	conversation: number,
	{ shelf, terms, kinds }: Look,
	limit: number,
): FoundItem[] {
	const [from, to] = placesOf(conversation);
	return db
		.all(wordStatements.within, queryOf(shelf, terms), from * 4, to * 4 - 1, numbersOf(kinds), limit)
		.map(({ item }) => itemOf(item));
}

/** The index knows each word together with its shelf, so that a look reads of no other one. */
function onShelf(shelf: number, words: readonly string[]): string {
	return words.map((word) => `${shelf}:${word}`).join(' ');
}

/** Words hold letters and digits only, so nothing in them can be mistaken for an operator within the quotes. */
function queryOf(shelf: number, terms: readonly SearchTerm[]): string {
	return terms.map(({ words, prefix }) => `"${onShelf(shelf, words)}"${prefix ? ' *' : ''}`).join(' AND ');
}

function numbersOf(kinds: readonly SearchKind[] = KINDS): string {
	return JSON.stringify(kinds.map((kind) => KINDS.indexOf(kind)));
}

function rowOf(kind: SearchKind, key: number): number {
	return key * 4 + KINDS.indexOf(kind);
}

function itemOf(row: unknown): FoundItem {
	const item = Number(row);
	return { kind: KINDS[item % 4] ?? 'message', key: Math.floor(item / 4) };
}
