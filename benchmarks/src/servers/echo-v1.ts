import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/ajv';
import { z } from 'zod';
import { echoResult, serverInfo } from '../mcp-messages.js';

// One for all sessions: most of what a new v1 server costs is an Ajv of its own.
const jsonSchemaValidator = new AjvJsonSchemaValidator();
const inputSchema = { text: z.string() };

/** A server of the official SDK v1 with an echo tool. Whoever carries SDK v1 here carries exactly this. */
export function echoV1(): McpServer {
	const server = new McpServer(serverInfo, { capabilities: { logging: {} }, jsonSchemaValidator });
	server.registerTool('echo', { description: 'Echo', inputSchema }, ({ text }) => echoResult(text));
	return server;
}
