import { McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { echoResult, serverInfo } from '../mcp-messages.js';

const inputSchema = z.object({ text: z.string() });

/** A server of the official SDK v2 with an echo tool. Every competitor on SDK v2 uses exactly this. */
export function echoV2(): McpServer {
	const server = new McpServer(serverInfo, { capabilities: { logging: {} } });
	server.registerTool('echo', { description: 'Echo', inputSchema }, ({ text }) => echoResult(text));
	return server;
}
