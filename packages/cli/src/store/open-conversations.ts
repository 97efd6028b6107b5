import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { FileConversationStore } from '@holdfast/conversations';
import type { ConversationStore } from '@holdfast/conversations/custom';
import { placeOf } from '@holdfast/session-manager/custom';
import type { Call } from '../command.js';
import { UnreachableError, UsageError } from '../exit.js';
import { shownText } from '../terminal.js';
import { engineOf } from './open-store.js';

/**
 * Opens the store of conversations that the settings name; `undefined` where they name none. A path that is not there
 * would be made, and so would a schema, and everything would look fine.
 */
export async function openConversations({ settings, terminal }: Call): Promise<ConversationStore | undefined> {
	if (settings.conversations === undefined) return undefined;
	const store = await opened(settings.conversations, settings.schema, terminal.folder);
	store.onerror = (error) => terminal.note(`holdfast: ${shownText(error.message)}\n`);
	return store;
}

async function opened(conversations: string, schema: string | undefined, folder: string): Promise<ConversationStore> {
	const engine = engineOf(conversations);
	if (engine === 'redis') throw new UsageError('Conversations are in a folder, a SQLite file or postgres://….');
	if (engine === 'postgres') {
		const { PostgresConversationStore } = await import('@holdfast/session-manager-postgres/conversations');
		return new PostgresConversationStore(conversations, { migrate: false, ...(schema !== undefined && { schema }) });
	}
	const path = resolve(folder, conversations);
	if (!existsSync(path))
		throw new UnreachableError(`There is no folder or file ${resolve(folder, placeOf(conversations))}.`);
	if (statSync(path).isDirectory()) return new FileConversationStore(path);
	const { SqliteConversationStore } = await import('@holdfast/session-manager-sqlite/conversations');
	return new SqliteConversationStore(path);
}
