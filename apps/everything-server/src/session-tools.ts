import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { type Json, LOG_LEVELS } from '@holdfast/session-manager/custom';
import type { ElicitRequestFormParams } from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import { defineTool, structured, type Tool } from './tool.js';

const nothing = z.object({});
/** Any JSON: a schema of its own would be recursive, which some clients refuse, such as Mastra's. */
const jsonValue = z.unknown().refine((value) => value !== undefined, 'A value is missing');
const count = z.int().min(1).max(100_000);
const milliseconds = z.int().min(0).max(600_000);
const level = z.enum(LOG_LEVELS);
const stream = z.enum(['call', 'session']).default('call').describe('The stream that the question goes on');

// A constant, because a JSON schema validator caches the compiled form of each schema object.
const answerForm: ElicitRequestFormParams['requestedSchema'] = {
	type: 'object',
	properties: { answer: { type: 'string', title: 'Answer' } },
	required: ['answer'],
};

/** Tools that show and exercise sessions from outside. Each returns structured content. */
export const sessionTools: readonly Tool[] = [
	defineTool({
		name: 'session_info',
		description: 'What the server knows about this session',
		input: nothing,
		async run(_args, { session, node }) {
			return structured({
				sessionId: session.id,
				nodeId: node.nodeId,
				clientInfo: session.clientInfo,
				protocolVersion: session.protocolVersion,
				principal: session.principal ?? null,
				logLevel: session.logLevel ?? null,
				subscriptions: await session.subscriptions(),
				status: session.status,
				expiresAt: session.expiresAt ?? null,
			});
		},
	}),
	defineTool({
		name: 'sleep',
		description: 'Answers after some time, at once when cancelled',
		input: z.object({ ms: milliseconds }),
		async run({ ms }, { node, signal }) {
			await elapsed(ms, signal);
			return structured({ nodeId: node.nodeId });
		},
	}),
	defineTool({
		name: 'log_many',
		description: 'Sends log messages numbered from 1 on the stream of this call',
		input: z.object({ count, intervalMs: milliseconds.default(0), level: level.default('info') }),
		async run(args, { log, node, signal }) {
			let n = 0;
			while (n < args.count && !signal.aborted) {
				if (n > 0 && args.intervalMs > 0 && !(await elapsed(args.intervalMs, signal))) break;
				n += 1;
				await log(args.level, { n });
			}
			return structured({ count: n, nodeId: node.nodeId });
		},
	}),
	defineTool({
		name: 'log_session',
		description: 'Sends log messages numbered from 1 on the session stream',
		input: z.object({ count, level: level.default('info') }),
		async run(args, { logOnSession, node }) {
			for (let n = 1; n <= args.count; n++) await logOnSession(args.level, { n });
			return structured({ count: args.count, nodeId: node.nodeId });
		},
	}),
	defineTool({
		name: 'notify_updated',
		description: 'Says to every subscriber that a resource changed',
		input: z.object({ uri: z.string(), count: count.default(1) }),
		async run(args, { node }) {
			for (let n = 0; n < args.count; n++) await node.notify.resourceUpdated(args.uri);
			return structured({ uri: args.uri, count: args.count, nodeId: node.nodeId });
		},
	}),
	defineTool({
		name: 'notify_list_changed',
		description: 'Says to every session that a list changed',
		input: z.object({ kind: z.enum(['tools', 'prompts', 'resources']) }),
		async run({ kind }, { node }) {
			await node.notify[`${kind}Changed`]();
			return structured({ kind, nodeId: node.nodeId });
		},
	}),
	defineTool({
		name: 'ask',
		description: 'Asks the user for one text',
		input: z.object({ message: z.string(), stream }),
		async run(args, { elicit, node }) {
			const question = { message: args.message, requestedSchema: answerForm };
			const { action, content } = await elicit(question, args.stream);
			return structured({ action, content: content ?? null, nodeId: node.nodeId });
		},
	}),
	defineTool({
		name: 'ask_url',
		description: 'Asks the user to open a page',
		input: z.object({ message: z.string(), url: z.url(), stream }),
		async run({ message, url, ...args }, { elicit, node }) {
			const elicitationId = randomUUID();
			const { action } = await elicit({ mode: 'url', message, url, elicitationId }, args.stream);
			return structured({ action, elicitationId, nodeId: node.nodeId });
		},
	}),
	defineTool({
		name: 'sample',
		description: "Asks the client's model",
		input: z.object({ prompt: z.string(), stream }),
		async run(args, { node, sample }) {
			const heard: number[] = [];
			const { role, model, content } = await sample(args.prompt, args.stream, ({ progress }) => heard.push(progress));
			return structured({ role, model, content, progress: heard, nodeId: node.nodeId });
		},
	}),
	defineTool({
		name: 'list_roots',
		description: "Lists the client's roots",
		input: z.object({ stream }),
		async run(args, { listRoots, node }) {
			const { roots } = await listRoots(args.stream);
			return structured({ roots, nodeId: node.nodeId });
		},
	}),
	defineTool({
		name: 'counter_add',
		description: 'Adds to a number that this session remembers',
		input: z.object({ key: z.string(), by: z.number().default(1) }),
		async run({ key, by }, { session }) {
			return structured({ value: await session.state.increment(key, by) });
		},
	}),
	defineTool({
		name: 'state_set',
		description: 'Makes this session remember a JSON value',
		input: z.object({ key: z.string(), value: jsonValue }),
		async run({ key, value }, { session }) {
			await session.state.set(key, value as Json);
			return structured({ key });
		},
	}),
	defineTool({
		name: 'state_get',
		description: 'What this session remembers; null when that is nothing',
		input: z.object({ key: z.string() }),
		async run({ key }, { session }) {
			return structured({ value: (await session.state.get(key)) ?? null });
		},
	}),
	defineTool({
		name: 'mark',
		description: 'Whether this session gets the text for the first time',
		input: z.object({ mark: z.string() }),
		async run({ mark }, { session, node }) {
			return structured({ isNew: await session.state.marks('marks').add(mark), nodeId: node.nodeId });
		},
	}),
	defineTool({
		name: 'end_session',
		description: 'Ends this session on every node',
		input: z.object({ reason: z.string().default('ended by the tool end_session') }),
		async run({ reason }, { session }) {
			await session.terminate(reason);
			return structured({ ended: true, reason });
		},
	}),
];

/** Waits. Returns `false` when `signal` aborts first. */
async function elapsed(ms: number, signal: AbortSignal): Promise<boolean> {
	try {
		await pause(ms, undefined, { signal });
		return true;
	} catch {
		return false;
	}
}
