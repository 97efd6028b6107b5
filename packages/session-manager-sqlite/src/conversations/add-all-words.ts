import { ConversationError, textOfContent, textOfDiscovery, textOfValue } from '@holdfast/conversations/custom';
import type { Row, SqliteConnection } from '../file/connection.js';
import { discoveryOf, entryOf, keyOf, messageOf } from './rows.js';
import { contextStatements, discoveryStatements, messageStatements } from './statements.js';
import { addWords } from './words.js';

/** How many texts are read at once. */
const PAGE = 100;

/**
 * Fills an empty index with the words of everything. What is damaged is not found. It belongs to the newest migration
 * that changes the index: that one takes it from the one before.
 */
export function addAllWords(db: SqliteConnection): void {
	for (const row of rowsOf(db, messageStatements.page)) {
		add(() => addWords(db, 'message', keyOf(row), textOfContent(messageOf(row, 0).content)));
	}
	for (const row of rowsOf(db, contextStatements.page)) {
		add(() => {
			const { key, value } = entryOf(row);
			addWords(db, 'context', keyOf(row), textOfValue(key, value));
		});
	}
	for (const row of rowsOf(db, discoveryStatements.page)) {
		add(() => addWords(db, 'discovery', keyOf(row), textOfDiscovery(discoveryOf(row))));
	}
}

function add(work: () => void): void {
	try {
		work();
	} catch (error) {
		if (!(error instanceof ConversationError)) throw error;
	}
}

function* rowsOf(db: SqliteConnection, sql: string): Generator<Row, void> {
	for (let after = 0; ; ) {
		const rows = db.all(sql, after, PAGE);
		yield* rows;
		const last = rows.at(-1);
		if (last === undefined) return;
		after = keyOf(last);
	}
}
