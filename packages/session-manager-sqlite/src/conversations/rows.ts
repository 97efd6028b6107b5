import {
	type ContextEntry,
	type ConversationHead,
	type Discovery,
	type Message,
	readConversationHead,
	readDiscovery,
	readMessage,
	type StoredConversation,
	typeOfValue,
	understood,
} from '@holdfast/conversations/custom';
import { numberOf, type Row, textOf } from '../file/connection.js';

/** Returns the head with its versions. Throws `corrupt` where the row has none. */
export function storedOf(row: Row): StoredConversation {
	const head = understood('head', textOf(row['head']), readConversationHead);
	return {
		head: { ...head, lastUsedAt: Number(row['used_at']) },
		version: versionOf(row),
		revision: `${keyOf(row)}.${Number(row['revision'])}`,
	};
}

/** Returns the version of the head of a row. No other conversation has its key, whatever its id is. */
export function versionOf(row: Row): string {
	return `${keyOf(row)}.${Number(row['version'])}`;
}

/** Returns a head as it is stored. */
export function headText(head: ConversationHead): string {
	return JSON.stringify(head);
}

/** Returns the message of a row, given the number of the last archived one. */
export function messageOf(row: Row, archived: number): Message {
	const message = understood('body', textOf(row['body']), readMessage);
	return { ...message, archived: message.number <= archived };
}

/** Returns the discovery of a row. */
export function discoveryOf(row: Row): Discovery {
	return understood('body', textOf(row['body']), readDiscovery);
}

/** Returns the value of a row. */
export function entryOf(row: Row): ContextEntry {
	const value = understood('value', textOf(row['value']), (json) => json as ContextEntry['value']);
	return {
		key: textOf(row['name']),
		value,
		version: valueVersionAt(keyOf(row)),
		type: typeOfValue(value),
		bytes: Number(row['bytes']),
		addedAt: Number(row['added_at']),
		updatedAt: Number(row['updated_at']),
		accessedAt: Number(row['accessed_at']),
		by: row['by'] === null ? undefined : textOf(row['by']),
		archived: numberOf(row['archived']) === 1,
	};
}

/** Returns the version of the value at a place, where no other value ever is. */
export function valueVersionAt(place: number): string {
	return String(place);
}

/** Returns the key of a row. */
export function keyOf(row: Row | undefined): number {
	return Number(row?.['key']);
}
