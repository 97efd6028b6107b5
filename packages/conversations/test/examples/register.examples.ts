import type { Conversations } from '@holdfast/conversations';
import { notifySubscribers, registerConversations } from '@holdfast/conversations/mcp';
import { HttpTransport } from '@holdfast/transport-http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';

export function register(conversations: Conversations, info: { name: string; version: string }) {
	//#region register
	const transport = new HttpTransport((session) => {
		const server = new McpServer(info, { capabilities: { resources: { subscribe: true } } });
		registerConversations(server, conversations, session);
		return server;
	});
	notifySubscribers(conversations, transport.notify);
	//#endregion register
	return transport;
}
