import {
	type ContextEntry,
	type Discovery,
	damaged,
	type Message,
	type NewDiscovery,
	type NewMessage,
	readConversationHead,
	readDiscovery,
	readMessage,
	type StoredConversation,
	typeOfValue,
	understood,
} from '@holdfast/conversations/custom';
import type { Row } from '../connection/connection.js';
import { originalText } from '../stored-text.js';

/** Something that was said or found, as it is stored: what is erased with its author, and the rest. */
export interface SplitItem {
	readonly body: string;
	readonly said: string;
}

/** Splits a message. */
export function splitMessage({ role, at, content, metadata }: NewMessage): SplitItem {
	return { body: JSON.stringify({ role, at }), said: JSON.stringify({ content, metadata }) };
}

/** Splits a discovery. */
export function splitDiscovery({ title, description, by: _by, ...rest }: NewDiscovery): SplitItem {
	return { body: JSON.stringify(rest), said: JSON.stringify({ title, description }) };
}

/** Returns the head of a row. Throws `corrupt` where it is not what was written. */
export function storedOf(row: Row): StoredConversation {
	if (row['sound'] !== true) throw damaged('head');
	const head = understood('head', String(row['head']), readConversationHead);
	return {
		head: { ...head, lastUsedAt: Number(row['used_at']) },
		version: String(row['version']),
		revision: String(row['revision']),
	};
}

/** Returns the message of a row. */
export function messageOf(row: Row): Message {
	return { ...joined(row, readMessage), archived: row['archived'] === true };
}

/** Returns the discovery of a row. */
export function discoveryOf(row: Row): Discovery {
	return joined(row, readDiscovery);
}

/** Returns the value of a row. */
export function entryOf(row: Row): ContextEntry {
	const value = understood('value', String(row['value']), (json) => json as ContextEntry['value']);
	return {
		key: originalText(String(row['name'])),
		value,
		version: String(row['version']),
		type: typeOfValue(value),
		bytes: Number(row['bytes']),
		addedAt: Number(row['added_at']),
		updatedAt: Number(row['updated_at']),
		accessedAt: Number(row['accessed_at']),
		by: authorOf(row),
		archived: row['archived'] === true,
	};
}

function joined<T>(row: Row, read: (value: unknown) => T): T {
	const parts = ['body', 'said'].map((column) =>
		understood(column, String(row[column]), (value) => value as Readonly<Record<string, unknown>>),
	);
	const whole = Object.assign({}, ...parts, { number: Number(row['number']), by: authorOf(row) });
	try {
		return read(whole);
	} catch (cause) {
		throw damaged('body', cause);
	}
}

function authorOf({ author }: Row): string | undefined {
	return author === null || author === undefined ? undefined : originalText(String(author));
}
