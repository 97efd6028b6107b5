import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/ajv';
import { z } from 'zod';
import { echoResult, serverInfo } from '../mcp-messages.js';

// One for all sessions: most of the cost of a new v1 server is an Ajv instance of its own.
const jsonSchemaValidator = new AjvJsonSchemaValidator();
const inputSchema = { text: z.string() };

/**
 * A server of the official SDK v1 with an echo tool. Every competitor on SDK v1 uses exactly this, or {@link
 * plainEchoV1}.
 */
export function echoV1(): McpServer {
	return withEcho(new McpServer(serverInfo, { capabilities: { logging: {} }, jsonSchemaValidator }));
}

/** The same server as the SDK's documentation creates it: each has a validator of its own. */
export function plainEchoV1(): McpServer {
	return withEcho(new McpServer(serverInfo, { capabilities: { logging: {} } }));
}

function withEcho(server: McpServer): McpServer {
	server.registerTool('echo', { description: 'Echo', inputSchema }, ({ text }) => echoResult(text));
	return server;
}
