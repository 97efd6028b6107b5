import type { McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { type Node, structured } from './tool.js';

/** Registers a tool that keeps state for clients of both eras. */
export function registerHandleTools(mcp: McpServer, node: Node): void {
	mcp.registerTool(
		'add_to_state',
		{
			description: 'Adds to a number that is kept, in a session or behind the handle that the first call returns',
			inputSchema: z.object({ key: z.string(), by: z.number(), handle: z.string().optional() }),
		},
		async ({ key, by, handle }, context) => {
			const found = await node.stateOf(context, handle);
			return structured({ value: await found.state.increment(key, by), handle: found.handle });
		},
	);
}
