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
import type { PostgresConnection, Row } from '../connection/connection.js';
import { searchStatement } from '../sql/conversation-search.js';
import { hashOf, originalText } from '../stored-text.js';
import { discoveryOf, entryOf, messageOf } from './rows.js';
import { queryOf, queryOfOwner } from './words.js';

/**
 * How many of somebody's newest texts are looked at before the index of words is asked. The index finds beginnings of
 * words in the texts of everybody, which takes longer than to look at many of one person.
 */
const NEWEST = Object.freeze({ ofWords: 2_000, ofBeginning: 20_000 });

/**
 * Returns what contains every term, the best first, of the newest that the index finds. `ondamage` hears of texts that
 * are corrupt.
 */
export async function search(
	database: PostgresConnection,
	schema: string,
	request: SearchRequest,
	ondamage: (error: Error) => void,
): Promise<readonly SearchCandidate[]> {
	const { terms, conversation, principal, kinds = ['message', 'context', 'discovery'], limit } = request;
	if ((conversation === undefined && principal === undefined) || kinds.length === 0 || limit <= 0) return [];
	const scope = { isOne: conversation !== undefined, isOfPerson: principal !== undefined };
	const rows = await database.run(searchStatement(schema, kinds, scope), [
		conversation === undefined ? null : hashOf(conversation),
		principal === undefined ? null : hashOf(principal),
		queryOf(terms),
		queryOfOwner(terms, principal ?? ''),
		Math.max(MAX_COMPARED.texts, limit),
		MAX_COMPARED.bytes,
		terms.some(({ prefix }) => prefix) ? NEWEST.ofBeginning : NEWEST.ofWords,
	]);
	const texts = rows.map((row) => tolerant(() => textOf(row), ondamage)).filter((text) => text !== undefined);
	return best(matching(texts, request), limit);
}

function textOf(row: Row): SearchedText {
	const conversation = originalText(String(row['id']));
	switch (row['kind']) {
		case 'message':
			return messageText(conversation, messageOf(row));
		case 'context':
			return contextText(conversation, entryOf({ ...row, value: row['said'], updated_at: row['at'] }));
		default:
			return discoveryText(conversation, discoveryOf(row));
	}
}
