import { readFileSync } from 'node:fs';
import type { ConversationStore, PersonSessions } from '@holdfast/conversations';
import { Conversations, FileConversationStore, InMemoryConversationStore } from '@holdfast/conversations';
import { registerConversations } from '@holdfast/conversations/mcp';
import { PostgresConversationStore } from '@holdfast/session-manager-postgres/conversations';
import { SqliteConversationStore } from '@holdfast/session-manager-sqlite/conversations';
import { McpServer } from '@modelcontextprotocol/server';
import type { ServerOptions } from './options.js';
import { kindOf, shareKeysOf } from './share-key.js';

const manifest: { version: string } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

/** Conversations with their store. */
export interface Opened {
	readonly conversations: Conversations;
	close(): Promise<void>;
}

/** Opens the store that `options` name. `sessions` are those of the same persons, which they can have erased. */
export async function openConversations(
	{ store: name, shareSecret }: ServerOptions,
	sessions?: PersonSessions,
): Promise<Opened> {
	const store = storeOf(name);
	const shareKeys = await shareKeysOf(name, shareSecret);
	const conversations = new Conversations(store, { shareKeys, sessions, tooManyConversations: 'suspend-oldest' });
	conversations.onerror = report;
	store.onerror = report;
	return {
		conversations,
		async close() {
			conversations.close();
			await store.close();
		},
	};
}

function storeOf(name: string): ConversationStore {
	switch (kindOf(name)) {
		case 'memory':
			return new InMemoryConversationStore();
		case 'postgres':
			return new PostgresConversationStore(name);
		case 'sqlite':
			return new SqliteConversationStore(name);
		case 'files':
			return new FileConversationStore(name);
	}
}

/** Makes the server of one connection, session or request. */
export function makeServer(
	conversations: Conversations,
	session: Parameters<typeof registerConversations>[2],
	{ jwt, user, vocabulary }: ServerOptions,
): McpServer {
	const info = { name: 'holdfast-conversation-server', title: 'Conversations', version: manifest.version };
	const server = new McpServer(info, {
		capabilities: { resources: { subscribe: true } },
		instructions:
			'Remembers conversations beyond this chat. At the beginning, list the conversations to see whether there is one ' +
			'to resume. Record what matters as you go, and suspend the conversation when the user stops.',
	});
	registerConversations(server, conversations, session, { vocabulary, ...(jwt === undefined && { principal: user }) });
	return server;
}

/** Reports an error where it does not disturb the protocol. */
export function report(error: Error): void {
	process.stderr.write(`conversation-server: ${error.message}\n`);
}
