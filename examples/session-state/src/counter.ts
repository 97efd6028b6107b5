import type { Session } from '@holdfast/session-manager';
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { z } from 'zod';

/** A number that every call of the session increments, whichever node it reaches. */
export function addCounter(server: McpServer, { state }: Session): void {
	server.registerTool(
		'count',
		{ description: 'Adds to the counter of this session', inputSchema: z.object({ by: z.int().default(1) }) },
		async ({ by }) => {
			const count = await state.increment('count', by);
			return { content: [{ type: 'text', text: JSON.stringify({ count }) }] };
		},
	);
}
