// The examples in the doc comments of stateless/tasks.
import type { McpServer } from '@modelcontextprotocol/server';
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
