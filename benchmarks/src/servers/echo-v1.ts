import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/ajv';
import { z } from 'zod';
import { echoResult, serverInfo } from '../mcp-messages.js';

// One for all sessions: most of what a new v1 server costs is an Ajv of its own.
const jsonSchemaValidator = new AjvJsonSchemaValidator();
const inputSchema = { text: z.string() };

/** A server of the official SDK v1 with an echo tool. Whoever carries SDK v1 here carries exactly this, or {@link plainEchoV1}. */
export function echoV1(): McpServer {
	return withEcho(new McpServer(serverInfo, { capabilities: { logging: {} }, jsonSchemaValidator }));
}

/** The same as the SDK's documentation makes it: each server has a validator of its own. */
export function plainEchoV1(): McpServer {
	return withEcho(new McpServer(serverInfo, { capabilities: { logging: {} } }));
}

function withEcho(server: McpServer): McpServer {
	server.registerTool('echo', { description: 'Echo', inputSchema }, ({ text }) => echoResult(text));
	return server;
}
