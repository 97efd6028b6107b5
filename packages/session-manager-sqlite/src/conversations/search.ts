import {
	best,
	contextText,
	discoveryText,
	MAX_COMPARED,
	matching,
	messageText,
	type SearchCandidate,
	type SearchedText,
	type SearchRequest,
	tolerant,
} from '@holdfast/conversations/custom';
import { bound, type Row, type SqliteConnection, textOf } from '../file/connection.js';
import { lookedUp } from './looked-up.js';
import { conversationAt } from './places.js';
import { discoveryOf, entryOf, keyOf, messageOf } from './rows.js';
import { shelvesOf, shelvesReadableBy } from './shelves.js';
import {
	contextStatements,
	discoveryStatements,
	headStatements,
	messageStatements,
	wordStatements,
} from './statements.js';
import { type FoundItem, itemsReadableBy, itemsWithin } from './words.js';

/**
 * Finds what contains every term, the best first, of the newest that the index finds. Between two of its pauses it
 * looks at one shelf or one text, so whoever runs it need not stay with it for long. `ondamage` hears of texts that are
 * corrupt.
 */
export function* search(
	db: SqliteConnection,
	request: SearchRequest,
	ondamage: (error: Error) => void,
): Generator<void, SearchCandidate[]> {
	const found: SearchCandidate[] = [];
	const conversations = new Map<number, Row | undefined>();
	let texts = request.limit <= 0 ? 0 : Math.max(MAX_COMPARED.texts, request.limit);
	let bytes: number = MAX_COMPARED.bytes;
	for (const look of yield* looksFor(db, request)) {
		const items = texts <= 0 ? [] : look(texts);
		texts -= items.length;
		yield;
		for (const item of items) {
			if (bytes <= 0) break;
			const key = conversationAt(item.key);
			if (!conversations.has(key)) conversations.set(key, db.get(wordStatements.conversation, key));
			const text = tolerant(() => textOfItem(db, item, conversations.get(key)), ondamage);
			if (text === undefined) continue;
			bytes -= text.text.length;
			found.push(...matching([text], request));
			yield;
		}
	}
	return best(found, request.limit);
}

/** A look at one shelf; it returns as many items as are wanted, the newest. */
type ShelfLook = (limit: number) => FoundItem[];

/** Returns the looks that find everything, the newest first. */
function* looksFor(
	db: SqliteConnection,
	{ conversation, principal, terms: wanted, kinds }: SearchRequest,
): Generator<void, ShelfLook[]> {
	const terms = lookedUp(wanted);
	if (conversation === undefined) {
		if (principal === undefined) return [];
		const shelves = yield* shelvesReadableBy(db, principal);
		return shelves.map((shelf) => (limit) => itemsReadableBy(db, principal, { shelf, terms, kinds }, limit));
	}
	const key = keyOf(db.get(headStatements.read, bound(conversation)));
	if (Number.isNaN(key)) return [];
	if (principal !== undefined && db.get(wordStatements.mayRead, bound(principal), key) === undefined) return [];
	return shelvesOf(db, key).map((shelf) => (limit) => itemsWithin(db, key, { shelf, terms, kinds }, limit));
}

/** What is found is there, unless the file was changed by hand. */
function textOfItem(
	db: SqliteConnection,
	{ kind, key }: FoundItem,
	conversation: Row | undefined,
): SearchedText | undefined {
	const statements = { message: messageStatements, context: contextStatements, discovery: discoveryStatements };
	const row = db.get(statements[kind].one, key);
	if (row === undefined || conversation === undefined) return undefined;
	const id = textOf(conversation['id']);
	if (kind === 'context') return contextText(id, entryOf(row));
	if (kind === 'discovery') return discoveryText(id, discoveryOf(row));
	return messageText(id, messageOf(row, Number(conversation['archived'])));
}
