import type { Session } from '@holdfast/session-manager';
import { completable, fromJsonSchema, McpServer, ResourceTemplate } from '@modelcontextprotocol/server';
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/server/validators/ajv';
import { z } from 'zod';
import { capabilities, prompts, resources, resourceTemplates, serverInfo, toolList, tools } from './catalogue.js';
import { registerHandleTools } from './handle-tools.js';
import { registerInputRequiredTools } from './input-required-tools.js';
import type { Prompt } from './prompts.js';
import { registerTaskTools } from './task-tools.js';
import type { Node } from './tool.js';
import { makeContext } from './tool-context.js';

// Shared by all servers, because a server is created for every session.
const jsonSchemaValidator = new AjvJsonSchemaValidator();
const inputOf = new Map(
	tools.map((tool) => [
		tool,
		tool.inputJsonSchema ? fromJsonSchema(tool.inputJsonSchema, jsonSchemaValidator) : tool.input,
	]),
);
const argumentsOf = new Map(prompts.map((prompt) => [prompt, toArguments(prompt)]));
const templateOf = new Map(
	resourceTemplates.map((template) => [template, new ResourceTemplate(template.uriTemplate, { list: undefined })]),
);

/** Creates the server of one session, or of one request without a session, with SDK v2. */
export function makeServer(session: Session | undefined, node: Node): McpServer {
	const mcp = new McpServer(serverInfo, { capabilities, jsonSchemaValidator });
	for (const [tool, inputSchema] of inputOf) {
		mcp.registerTool(tool.name, { description: tool.description, inputSchema }, (args, { http, mcpReq }) =>
			tool.run(
				args,
				makeContext(session, node, mcp.server, {
					id: mcpReq.id,
					signal: mcpReq.signal,
					progressToken: mcpReq._meta?.progressToken,
					notify: mcpReq.notify,
					closeStream: () => http?.closeSSE?.(),
				}),
			),
		);
	}
	// McpServer adds `$schema` to the schemas that it converts.
	if (session !== undefined) mcp.server.setRequestHandler('tools/list', () => toolList);
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
	registerHandleTools(mcp, node);
	if (session === undefined) {
		registerInputRequiredTools(mcp, node);
		registerTaskTools(mcp, node);
	}
	return mcp;
}

function toArguments(prompt: Prompt): z.ZodObject<Record<string, z.ZodString>> | undefined {
	if (prompt.arguments === undefined) return undefined;
	return z.object(
		Object.fromEntries(
			Object.entries(prompt.arguments).map(([name, { description, suggest }]) => [
				name,
				completable(z.string().describe(description), suggest),
			]),
		),
	);
}
