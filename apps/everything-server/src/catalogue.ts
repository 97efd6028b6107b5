import { readFileSync } from 'node:fs';
import { conformanceTools } from './conformance-tools.js';
import { sessionTools } from './session-tools.js';
import type { Tool } from './tool.js';

export { prompts } from './prompts.js';
export { resources, resourceTemplates } from './resources.js';

/** Every tool of the server. */
export const tools: readonly Tool[] = [...conformanceTools, ...sessionTools];

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
