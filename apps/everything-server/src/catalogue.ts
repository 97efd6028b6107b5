import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { conformanceTools } from './conformance-tools.js';
import { sessionTools } from './session-tools.js';
import type { Tool } from './tool.js';

export { prompts } from './prompts.js';
export { resources, resourceTemplates } from './resources.js';

/** Every tool of the server. */
export const tools: readonly Tool[] = [...conformanceTools, ...sessionTools];

/**
 * What `tools/list` answers. A converted schema comes without `$schema`, which some clients refuse, such as Genkit's;
 * one that a tool gives as it stands comes as it stands.
 */
export const toolList = { tools: tools.map(describe) };

const manifest: { version: string } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

/** The name and version that the server reports. */
export const serverInfo = { name: 'holdfast-everything-server', version: manifest.version };

/** The server's capabilities. The transport handles subscriptions, which no SDK server does. */
export const capabilities = {
	tools: { listChanged: true },
	resources: { subscribe: true, listChanged: true },
	prompts: { listChanged: true },
	logging: {},
	completions: {},
};

function describe({ name, description, input, inputJsonSchema }: Tool) {
	const { $schema: _, ...converted } = z.toJSONSchema(input, { io: 'input' });
	return { name, description, inputSchema: { ...(inputJsonSchema ?? converted), type: 'object' as const } };
}
