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
} from '@holdfast/conversations/custom';
import { bound, type Row, type SqliteConnection, textOf } from '../connection.js';
import { conversationAt } from './places.js';
import { discoveryOf, entryOf, keyOf, messageOf } from './rows.js';
import {
	contextStatements,
	discoveryStatements,
	headStatements,
	messageStatements,
	wordStatements,
} from './statements.js';
import { type FoundItem, itemsAnywhere, itemsWithin } from './words.js';

/** Up to how many items of everybody are looked through for those of one person. */
const FEW = 5_000;

/** Returns what contains every term, the best first, of the newest that the index finds. */
export function search(db: SqliteConnection, request: SearchRequest): SearchCandidate[] {
	if (request.limit <= 0) return [];
	const items = itemsOf(db, request, Math.max(MAX_COMPARED.texts, request.limit));
	return best(matching(textsOf(db, items), request), request.limit);
}

function itemsOf(db: SqliteConnection, request: SearchRequest, limit: number): readonly FoundItem[] {
	const { conversation, principal, terms, kinds } = request;
	const readable = principal === undefined ? undefined : readableBy(db, principal);
	if (conversation === undefined) return readable === undefined ? [] : itemsOfMany(db, request, readable, limit);
	const key = keyOf(db.get(headStatements.read, bound(conversation)));
	if (Number.isNaN(key) || readable?.includes(key) === false) return [];
	return itemsWithin(db, key, terms, kinds, limit);
}

/**
 * Words that are rare are looked up once, for everybody; those that are in many texts in one conversation after the
 * other, those used last first, until there are enough.
 */
function itemsOfMany(
	db: SqliteConnection,
	{ terms, kinds }: SearchRequest,
	readable: readonly number[],
	limit: number,
): readonly FoundItem[] {
	const few = itemsAnywhere(db, terms, kinds, FEW + 1);
	if (few.length <= FEW) {
		const ranks = new Map(readable.map((conversation, rank) => [conversation, rank]));
		const rankOf = ({ key }: FoundItem) => ranks.get(conversationAt(key)) ?? -1;
		const own = few.filter((item) => rankOf(item) >= 0);
		return own.sort((one, other) => rankOf(one) - rankOf(other) || other.key - one.key).slice(0, limit);
	}
	const found: FoundItem[] = [];
	for (const conversation of readable) {
		if (found.length >= limit) break;
		found.push(...itemsWithin(db, conversation, terms, kinds, limit - found.length));
	}
	return found;
}

function readableBy(db: SqliteConnection, principal: string): number[] {
	return db.all(wordStatements.readable, bound(principal)).map(({ conversation }) => Number(conversation));
}

/** Reads the items, until there are too many bytes. */
function* textsOf(db: SqliteConnection, items: readonly FoundItem[]): Generator<SearchedText, void> {
	const conversations = new Map<number, Row | undefined>();
	let bytes = 0;
	for (const item of items) {
		if (bytes >= MAX_COMPARED.bytes) return;
		const key = conversationAt(item.key);
		if (!conversations.has(key)) conversations.set(key, db.get(wordStatements.conversation, key));
		const text = textOfItem(db, item, conversations.get(key));
		if (text === undefined) continue;
		bytes += text.text.length;
		yield text;
	}
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
