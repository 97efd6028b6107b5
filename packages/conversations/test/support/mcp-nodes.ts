import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type ConversationStore, Conversations, type ConversationsOptions } from '@holdfast/conversations';
import { notifySubscribers, type RegisterOptions, registerConversations } from '@holdfast/conversations/mcp';
import {
	type InfoSessionManager,
	InMemoryInfoSessionManager,
	InMemoryStreamSessionManager,
	type StreamSessionManager,
} from '@holdfast/session-manager';
import { HttpTransport } from '@holdfast/transport-http';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { McpServer as V1McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { McpServer as V2McpServer } from '@modelcontextprotocol/server';
import { onTestFinished } from 'vitest';

const info = { name: 'conversations', version: '1.0.0' };
const capabilities = { resources: { subscribe: true } };

/** How a server is made with each SDK. */
export const sdks = { v1: V1McpServer, v2: V2McpServer } as const;

/** What a node keeps sessions with. */
export interface SessionManager {
	readonly streams: StreamSessionManager;
	readonly info: InfoSessionManager;
}

/** What a test wants of its nodes. */
export interface McpNodesOptions extends ConversationsOptions {
	readonly sdk: keyof typeof sdks;
	readonly register?: RegisterOptions;
	/** @default 2 */
	readonly nodes?: number;
	/** The managers of one node. @default the same for all, in memory */
	readonly manage?: () => SessionManager;
}

/**
 * Nodes of one process: each has a transport and conversations of its own over the same sessions and the same store.
 */
export async function openMcpNodes(
	store: () => ConversationStore,
	{ sdk, register, nodes: count = 2, manage, ...options }: McpNodesOptions,
): Promise<{ readonly urls: readonly URL[]; readonly conversations: readonly Conversations[] }> {
	const inMemory = { streams: new InMemoryStreamSessionManager(), info: new InMemoryInfoSessionManager() };
	const urls: URL[] = [];
	const nodes: Conversations[] = [];
	for (let n = 0; n < count; n++) {
		const shared = store();
		const sessionManager = manage?.() ?? inMemory;
		let conversations: Conversations;
		const transport: HttpTransport = new HttpTransport(
			(session) => {
				const server = sdk === 'v1' ? new V1McpServer(info, { capabilities }) : new V2McpServer(info, { capabilities });
				registerConversations(server, conversations, session, register);
				return server;
			},
			{
				sessionManager,
				stateless: {},
				// Nodes leave one after the other, and their managers with them.
				...(manage !== undefined && { onerror() {} }),
				authenticate({ header }) {
					const token = header('authorization')?.replace('Bearer ', '');
					if (token === undefined) return undefined;
					const extra = token === 'nameless' ? {} : { iss: 'https://issuer.example', sub: token };
					return { token, clientId: token, scopes: [], extra };
				},
			},
		);
		conversations = new Conversations(shared, { ...options, sessions: transport.principals });
		notifySubscribers(conversations, transport.notify, register);
		const server = createServer(transport.handle).listen(0, '127.0.0.1');
		await once(server, 'listening');
		onTestFinished(async () => {
			conversations.close();
			await transport.close();
			server.close();
			if (manage !== undefined) {
				await sessionManager.streams.close();
				await sessionManager.info.close();
			}
			await shared.close();
		});
		urls.push(new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`));
		nodes.push(conversations);
	}
	return { urls, conversations: nodes };
}

/** Connects the official client as somebody. */
export async function connect(url: URL, who: string | undefined, mode?: 'auto'): Promise<Client> {
	const client = new Client({ name: 'test', version: '1.0.0' }, mode && { versionNegotiation: { mode } });
	const headers = who === undefined ? undefined : { Authorization: `Bearer ${who}` };
	await client.connect(new StreamableHTTPClientTransport(url, { requestInit: { ...(headers && { headers }) } }));
	onTestFinished(() => client.close());
	return client;
}
