import {
	type ContextEntry,
	ConversationError,
	type ConversationHead,
	type Discovery,
	type Message,
	readConversationHead,
	readDiscovery,
	readMessage,
	type StoredConversation,
	typeOfValue,
} from '@holdfast/conversations/custom';
import { numberOf, type Row, textOf } from '../connection.js';

/** Returns the head with its versions. Throws `corrupt` where the row has none. */
export function storedOf(row: Row): StoredConversation {
	const head = understood(row, 'head', (value) => readConversationHead(value));
	return {
		head: { ...head, lastUsedAt: Number(row['used_at']) },
		version: String(row['version']),
		revision: String(row['revision']),
	};
}

/** Returns a head as it is stored. */
export function headText(head: ConversationHead): string {
	return JSON.stringify(head);
}

/** Returns the message of a row. */
export function parsedMessage(row: Row): Omit<Message, 'archived'> {
	return understood(row, 'body', (value) => readMessage(value));
}

/** Returns the discovery of a row. */
export function parsedDiscovery(row: Row): Discovery {
	return understood(row, 'body', (value) => readDiscovery(value));
}

/** Returns the value of a row. */
export function entryOf(row: Row): ContextEntry {
	const value = understood(row, 'value', (json) => json as ContextEntry['value']);
	return {
		key: textOf(row['name']),
		value,
		version: String(row['version']),
		type: typeOfValue(value),
		bytes: Number(row['bytes']),
		addedAt: Number(row['added_at']),
		updatedAt: Number(row['updated_at']),
		accessedAt: Number(row['accessed_at']),
		by: row['by'] === null ? undefined : textOf(row['by']),
		archived: numberOf(row['archived']) === 1,
	};
}

function understood<T>(row: Row, column: string, read: (value: unknown) => T): T {
	try {
		return read(JSON.parse(textOf(row[column])));
	} catch (cause) {
		throw new ConversationError(
			'corrupt',
			`A ${column} in the database is damaged: restore the file from a backup, or delete the conversation.`,
			{ cause },
		);
	}
}
