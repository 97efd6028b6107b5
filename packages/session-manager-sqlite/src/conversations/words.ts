import { type SearchKind, type SearchTerm, tokensOf } from '@holdfast/conversations/custom';
import type { SqliteConnection } from '../connection.js';
import { placesOf } from './places.js';
import { wordStatements } from './statements.js';

/** The kinds of items, by what is added to four times their key. */
const KINDS: readonly SearchKind[] = ['message', 'context', 'discovery'];

/** Something that an index found. */
export interface FoundItem {
	readonly kind: SearchKind;
	readonly key: number;
}

/** Makes an item found by the words of `text`. */
export function addWords(db: SqliteConnection, kind: SearchKind, key: number, text: string): void {
	db.run(wordStatements.insert, rowOf(kind, key), tokensOf(text).join(' '));
}

/** Makes an item found no more. */
export function removeWords(db: SqliteConnection, kind: SearchKind, key: number): void {
	db.run(wordStatements.delete, rowOf(kind, key));
}

/** Makes nothing of a conversation found any more. */
export function removeAllWords(db: SqliteConnection, conversation: number): void {
	const [from, to] = placesOf(conversation);
	db.run(wordStatements.deleteAll, from * 4, to * 4);
}

/** Returns items with all of the terms in whatever conversations, in no useful order: `limit` at most. */
export function itemsAnywhere(
	db: SqliteConnection,
	terms: readonly SearchTerm[],
	kinds: readonly SearchKind[] | undefined,
	limit: number,
): FoundItem[] {
	return db.all(wordStatements.anywhere, queryOf(terms), numbersOf(kinds), limit).map(({ item }) => itemOf(item));
}

/** Returns the newest items with all of the terms in a conversation: `limit` at most. */
export function itemsWithin(
	db: SqliteConnection,
	conversation: number,
	terms: readonly SearchTerm[],
	kinds: readonly SearchKind[] | undefined,
	limit: number,
): FoundItem[] {
	const [from, to] = placesOf(conversation);
	return db
		.all(wordStatements.within, queryOf(terms), from * 4, to * 4 - 1, numbersOf(kinds), limit)
		.map(({ item }) => itemOf(item));
}

/** Words hold letters and digits only, so nothing in them can be mistaken for an operator within the quotes. */
function queryOf(terms: readonly SearchTerm[]): string {
	return terms.map(({ words, prefix }) => `"${words.join(' ')}"${prefix ? ' *' : ''}`).join(' AND ');
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
