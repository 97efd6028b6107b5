import type { Session } from '@holdfast/session-manager';
import { completable } from '@modelcontextprotocol/sdk/server/completable.js';
import { McpServer, ResourceTemplate } from '@modelcontextprotocol/sdk/server/mcp.js';
import { ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/ajv';
import { z } from 'zod';
import { capabilities, prompts, resources, resourceTemplates, serverInfo, toolList, tools } from './catalogue.js';
import type { Prompt } from './prompts.js';
import type { Node } from './tool.js';
import { makeContext } from './tool-context.js';

// Shared by all servers, because a server is created for every session.
const jsonSchemaValidator = new AjvJsonSchemaValidator();
const argumentsOf = new Map(prompts.map((prompt) => [prompt, toArguments(prompt)]));
const templateOf = new Map(
	resourceTemplates.map((template) => [template, new ResourceTemplate(template.uriTemplate, { list: undefined })]),
);

/** Creates the server of one session with SDK v1. */
export function makeServer(session: Session | undefined, node: Node): McpServer {
	const mcp = new McpServer(serverInfo, { capabilities, jsonSchemaValidator });
	for (const tool of tools) {
		mcp.registerTool(tool.name, { description: tool.description, inputSchema: tool.input }, (args, extra) =>
			tool.run(
				args,
				makeContext(session, node, mcp.server, {
					id: extra.requestId,
					signal: extra.signal,
					progressToken: extra._meta?.progressToken,
					notify: extra.sendNotification,
					closeStream: () => extra.closeSSEStream?.(),
				}),
			),
		);
	}
	// McpServer lists no JSON Schema as written, and adds `$schema` to those that it converts.
	mcp.server.setRequestHandler(ListToolsRequestSchema, () => toolList);
	for (const resource of resources) {
		const { name, uri, title, description, mimeType } = resource;
		mcp.registerResource(name, uri, { title, description, mimeType }, () => ({ contents: [resource.read()] }));
	}
	for (const [template, resourceTemplate] of templateOf) {
		const { name, title, description, mimeType } = template;
		mcp.registerResource(name, resourceTemplate, { title, description, mimeType }, (uri, variables) => ({
			contents: [template.read(uri.href, variables)],
		}));
	}
	for (const [prompt, argsSchema] of argumentsOf) {
		const { name, title, description } = prompt;
		if (argsSchema === undefined) {
			mcp.registerPrompt(name, { title, description }, () => ({ messages: prompt.messages({}) }));
		} else {
			mcp.registerPrompt(name, { title, description, argsSchema }, (args) => ({ messages: prompt.messages(args) }));
		}
	}
	return mcp;
}

function toArguments(prompt: Prompt): Record<string, z.ZodString> | undefined {
	if (prompt.arguments === undefined) return undefined;
	return Object.fromEntries(
		Object.entries(prompt.arguments).map(([name, { description, suggest }]) => [
			name,
			completable(z.string().describe(description), suggest),
		]),
	);
}
