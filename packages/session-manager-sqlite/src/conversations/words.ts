import {
	type SearchCandidate,
	type SearchKind,
	type SearchRequest,
	textOfContent,
	textOfDiscovery,
	textOfValue,
	tokensOf,
} from '@holdfast/conversations/custom';
import { type Row, type SqliteConnection, textOf } from '../connection.js';
import { entryOf, parsedDiscovery, parsedMessage } from './rows.js';
import { contextStatements, discoveryStatements, messageStatements, wordStatements } from './statements.js';

/** The kinds of items, by what is added to four times their key. */
const KINDS: readonly SearchKind[] = ['message', 'context', 'discovery'];

/** Makes an item of a conversation found by the words of `text`. */
export function addWords(
	db: SqliteConnection,
	kind: SearchKind,
	key: number,
	conversation: number,
	text: string,
): void {
	const rowid = key * 4 + KINDS.indexOf(kind);
	db.run(wordStatements.insert, rowid, scopeOf(conversation), tokensOf(text).join(' '));
}

/** Makes an item found no more. */
export function removeWords(db: SqliteConnection, kind: SearchKind, key: number): void {
	db.run(wordStatements.delete, key * 4 + KINDS.indexOf(kind));
}

/** Returns what matches, the best first. */
export function searchWords(
	db: SqliteConnection,
	request: SearchRequest,
	scopes: readonly number[],
): SearchCandidate[] {
	if (scopes.length === 0 || request.limit <= 0) return [];
	const kinds = (request.kinds ?? KINDS).map((kind) => KINDS.indexOf(kind));
	const rows = db.all(wordStatements.search, queryOf(request, scopes), JSON.stringify(kinds), request.limit);
	return rows.map((row) => candidateOf(db, row)).filter((candidate) => candidate !== undefined);
}

/** Words hold letters and digits only, so nothing in them can be mistaken for an operator within the quotes. */
function queryOf({ terms }: SearchRequest, scopes: readonly number[]): string {
	const wanted = terms.map(({ words, prefix }) => `words : "${words.join(' ')}"${prefix ? ' *' : ''}`);
	const where = scopes.map((scope) => `"${scopeOf(scope)}"`).join(' OR ');
	return [...wanted, `scope : (${where})`].join(' AND ');
}

function scopeOf(conversation: number): string {
	return `c${conversation}`;
}

function candidateOf(db: SqliteConnection, { item, score }: Row): SearchCandidate | undefined {
	const [key, kind] = [Math.floor(Number(item) / 4), KINDS[Number(item) % 4]];
	const found = db.get(
		{ message: messageStatements, context: contextStatements, discovery: discoveryStatements }[kind ?? 'message'].one,
		key,
	);
	const conversation = found && db.get(wordStatements.conversation, Number(found['conversation']));
	if (found === undefined || conversation === undefined) return undefined;
	// Nothing that is found must rank as nothing; words in every text have almost no weight.
	const shared = { conversation: textOf(conversation['id']), score: Math.max(Number(score), Number.MIN_VALUE) };
	if (kind === 'context') {
		const { key: name, value, updatedAt: at, archived } = entryOf(found);
		return { ...shared, kind, key: name, text: textOfValue(name, value), at, archived };
	}
	if (kind === 'discovery') {
		const discovery = parsedDiscovery(found);
		const { number, at, relevance } = discovery;
		return { ...shared, kind, number, text: textOfDiscovery(discovery), at, relevance, archived: false };
	}
	const { number, content, at } = parsedMessage(found);
	const archived = number <= Number(conversation['archived']);
	return { ...shared, kind: 'message', number, text: textOfContent(content), at, archived };
}
