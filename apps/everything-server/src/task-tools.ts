import { setTimeout as delay } from 'node:timers/promises';
import type { InputRequest } from '@holdfast/transport-http';
import { inputRequired, inputResponse, type McpServer, ProtocolError } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { slowWorkOf } from './slow-work.js';
import type { Node } from './tool.js';

// What the suite of 2026-07-28 expects of a server with tasks.

const text = (value: string) => ({ content: [{ type: 'text' as const, text: value }] });

/** A form of one text or flag. */
function form(message: string, name: string, type: 'string' | 'boolean') {
	const property = type === 'string' ? { type: 'string' as const } : { type: 'boolean' as const };
	const requestedSchema = { type: 'object' as const, properties: { [name]: property }, required: [name] };
	return inputRequired.elicit({ message, requestedSchema });
}

const ask = (message: string, name: string, type: 'string' | 'boolean') => form(message, name, type) as InputRequest;

const computeInput = z.object({ seconds: z.number().min(0).max(3_600), label: z.string().optional() });

/** Registers tools whose work goes on after their call is answered. */
export function registerTaskTools(mcp: McpServer, { tasks, nodeId, compute }: Node): void {
	mcp.registerTool('greet', { description: 'Greets', inputSchema: z.object({ name: z.string() }) }, ({ name }) =>
		text(`Hello, ${name}!`),
	);
	mcp.registerTool(
		'slow_compute',
		{
			description: 'Takes its time, as a task where the client knows them',
			inputSchema: computeInput,
		},
		(args, context) => tasks.run(context, (task) => slowWorkOf(nodeId)(args, task)),
	);
	mcp.registerTool(
		'restartable_compute',
		{ description: 'Takes its time, and is begun anew where its node is gone', inputSchema: computeInput },
		(args, context) => compute(context, args),
	);
	mcp.registerTool('failing_job', { description: 'A task that ends with an error of the tool' }, (context) =>
		tasks.run(
			context,
			async ({ signal }) => {
				await delay(1_000, undefined, { signal });
				return { ...text('The job failed.'), isError: true };
			},
			{ required: true },
		),
	);
	mcp.registerTool('protocol_error_job', { description: 'A task that ends with an error of the protocol' }, (context) =>
		tasks.run(context, () => Promise.reject<never>(new ProtocolError(-32603, 'The job broke down.'))),
	);
	mcp.registerTool(
		'confirm_delete',
		{ description: 'A task that asks before it goes on', inputSchema: z.object({ filename: z.string() }) },
		({ filename }, context) =>
			tasks.run(context, async (task) => {
				const answer = await task.ask(ask(`Delete ${filename}?`, 'confirm', 'boolean'));
				return text(`${filename}: ${JSON.stringify(answer)}`);
			}),
	);
	mcp.registerTool('multi_input', { description: 'A task that asks two things at once' }, (context) =>
		tasks.run(context, async (task) => {
			const asked = ['First name?', 'Last name?'].map((question) => task.ask(ask(question, 'name', 'string')));
			return text(JSON.stringify(await Promise.all(asked)));
		}),
	);
	mcp.registerTool('test_tool_with_task', { description: 'Asks for a name, then becomes a task' }, (context) => {
		const answer = inputResponse(context.mcpReq.inputResponses, 'user_name');
		const name = answer.kind === 'elicit' && answer.action === 'accept' ? answer.content?.['name'] : undefined;
		if (name === undefined)
			return inputRequired({ inputRequests: { user_name: form('What is your name?', 'name', 'string') } });
		return tasks.run(
			context,
			async ({ signal }) => {
				await delay(200, undefined, { signal });
				return text(`Hello, ${name}!`);
			},
			{ required: true },
		);
	});
}
