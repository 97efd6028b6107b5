// The examples in the doc comments of stateless/tasks.
import { McpServer as SessionServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import type { McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { HttpTransport } from '../../src/index.ts';

export function run(
	server: McpServer,
	transport: HttpTransport,
	writeReport: (signal: AbortSignal) => Promise<string>,
): void {
	//#region run
	server.registerTool('report', { description: 'Writes a report' }, (context) =>
		transport.tasks.run(context, async (task) => {
			const text = await writeReport(task.signal);
			return { content: [{ type: 'text', text }] };
		}),
	);
	//#endregion run
}

export function restartable(
	server: McpServer,
	transport: HttpTransport,
	indexFiles: (folder: string, signal: AbortSignal) => Promise<number>,
): void {
	const inputSchema = z.object({ folder: z.string() });
	//#region restartable
	const index = transport.tasks.restartable('index', async ({ folder }: { folder: string }, task) => {
		const files = await indexFiles(folder, task.signal);
		return { content: [{ type: 'text' as const, text: `${files} files` }] };
	});
	// in the function that makes a server:
	server.registerTool('index', { inputSchema }, (args, context) => index(context, args));
	//#endregion restartable
}

export function sessions(transport: HttpTransport): SessionServer {
	//#region sessions
	const capabilities = { tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } } };
	const server = new SessionServer(
		{ name: 'reports', version: '1' },
		{ taskStore: transport.tasks.sessions, capabilities },
	);
	//#endregion sessions
	return server;
}
