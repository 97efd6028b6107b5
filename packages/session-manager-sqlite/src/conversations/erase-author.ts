import { ERASED } from '@holdfast/conversations/custom';
import { bound, type Row, type SqliteConnection } from '../file/connection.js';
import { removeValue } from './context-values.js';
import { placesOf } from './places.js';
import { discoveryOf, keyOf, messageOf } from './rows.js';
import { contextStatements, discoveryStatements, headStatements, messageStatements } from './statements.js';
import { addWords, removeWords } from './words.js';

/** Erases what somebody wrote in the conversation of `row`. Returns how much it was. */
export function eraseAuthor(db: SqliteConnection, row: Row, principal: string): number {
	const [conversation, by] = [keyOf(row), bound(principal)];
	const places = placesOf(conversation);
	const messages = db.all(messageStatements.by, ...places, by);
	for (const message of messages) {
		const { by: _by, metadata: _metadata, archived: _archived, ...rest } = messageOf(message, 0);
		db.run(messageStatements.erase, JSON.stringify({ ...rest, content: ERASED }), keyOf(message));
		removeWords(db, 'message', keyOf(message));
		addWords(db, 'message', keyOf(message), ERASED);
	}
	const discoveries = db.all(discoveryStatements.by, ...places, by);
	for (const discovery of discoveries) {
		const { by: _by, ...rest } = discoveryOf(discovery);
		const body = JSON.stringify({ ...rest, title: ERASED, description: ERASED });
		db.run(discoveryStatements.erase, body, keyOf(discovery));
		removeWords(db, 'discovery', keyOf(discovery));
	}
	const entries = db.all(contextStatements.by, conversation, by);
	for (const entry of entries) removeValue(db, keyOf(entry));
	const freed = entries.reduce((sum, { bytes }) => sum + Number(bytes), 0);
	db.run(headStatements.changed, Number(row['changes']) + 1, -freed, conversation);
	return messages.length + discoveries.length + entries.length;
}
