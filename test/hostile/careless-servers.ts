import { McpServer as V1McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { McpServer as V2McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';

const cycle: Record<string, unknown> = {};
cycle['again'] = cycle;
let deep: unknown = 0;
for (let depth = 0; depth < 100_000; depth++) deep = [deep];
/** What no JSON writer takes. */
export const unwritable: Readonly<Record<string, unknown>> = { bigint: 1n, cycle, deep };

const info = { name: 'careless', version: '1.0.0' };
const anything = z.looseObject({});
const answerWith = (args: { [key: string]: unknown }) => ({
	content: [],
	structuredContent: { value: unwritable[String(args['what'])] },
});
/** Servers with a tool `answer` that answers with what it is told to, writable or not. */
export const careless = {
	v1() {
		const server = new V1McpServer(info);
		server.registerTool('answer', { inputSchema: anything }, answerWith);
		return server;
	},
	v2() {
		const server = new V2McpServer(info);
		server.registerTool('answer', { inputSchema: anything }, answerWith);
		return server;
	},
};
