import { InMemoryInfoSessionManager, InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { ManualClock } from '@holdfast/session-manager/testing';
import type { Task } from '@holdfast/transport-http';
import { McpServer } from '@modelcontextprotocol/server';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Loose } from '../../../../test/support/clients/wire-response.ts';
import { type Door, doors } from '../../../../test/support/doors.ts';
import { Rig } from '../../../../test/support/rig.ts';
import { ask, statelessMessage } from '../../../../test/support/stateless-request.ts';
import { until } from '../../../../test/support/until.ts';

const capabilities = { elicitation: {}, extensions: { 'io.modelcontextprotocol/tasks': {} } };
const text = (value: string, n?: unknown) => ({
	content: [{ type: 'text' as const, text: value }],
	structuredContent: n === undefined ? {} : { n },
});
const question = { method: 'elicitation/create', params: { message: 'Sure?', requestedSchema: { type: 'object' } } };

/** A start of the work: where, with what, and how it goes on. */
interface Start {
	readonly node: number;
	readonly args: { readonly label: string };
	readonly task: Task;
	finish(result: string, n?: unknown): void;
}

/** Nodes with one tool `work`, whose work any of them may begin anew; `names` says which nodes name it. */
async function openNodes(door: Door, { maxRunning = 10, names = [0, 1, 2] } = {}) {
	const clock = new ManualClock(1_000_000);
	const info = new InMemoryInfoSessionManager({ clock });
	const sessionManager = { info, streams: new InMemoryStreamSessionManager({ clock }) };
	const starts: Start[] = [];
	const open = async (node: number) => {
		const rig: Rig = await Rig.open(door, {
			clock,
			sessionManager,
			stateless: { tasks: { maxRunning } },
			createServer: () => {
				const server = new McpServer({ name: 'tasks', version: '1' });
				const inputSchema = z.object({ label: z.string() });
				const outputSchema = z.object({ n: z.number() }).partial();
				server.registerTool('work', { inputSchema, outputSchema }, (args, context) => run(context, args));
				return server;
			},
		});
		const work = (args: { label: string }, task: Task) =>
			new Promise<ReturnType<typeof text>>((resolve, reject) => {
				task.signal.addEventListener('abort', () => reject(task.signal.reason));
				starts.push({ node, args, task, finish: (result, n) => resolve(text(result, n)) });
			});
		const run = rig.transport.tasks.restartable(names.includes(node) ? 'work' : 'other', work);
		return rig;
	};
	return { nodes: [await open(0), await open(1), await open(2)] as const, clock, info, starts };
}

async function request(rig: Rig, method: string, params: Loose): Promise<Loose> {
	return (await (await ask(rig, statelessMessage(method, params, { capabilities }))).json()).result;
}

async function start(rig: Rig, label = 'x'): Promise<string> {
	return (await request(rig, 'tools/call', { name: 'work', arguments: { label } }))['taskId'];
}

const get = (rig: Rig, taskId: string) => request(rig, 'tasks/get', { taskId });

describe.each(doors)('a task that may be begun anew, through $name', (door) => {
	it('goes on, with what it was given, on the node that is asked for it once its own has left', async () => {
		const { nodes, starts } = await openNodes(door);
		const [a, b, c] = nodes;
		const taskId = await start(a, 'given');
		await a.transport.close();
		expect(starts[0]?.task.signal.aborted).toBe(true);
		expect(await get(b, taskId)).toMatchObject({ taskId, status: 'working' });
		expect(starts.map(({ node, args }) => [node, args])).toEqual([
			[0, { label: 'given' }],
			[1, { label: 'given' }],
		]);
		expect(await get(c, taskId)).toMatchObject({ status: 'working' });
		expect(starts).toHaveLength(2);
		starts[1]?.finish('done');
		await until('the result', async () => (await get(c, taskId))['status'] === 'completed');
		expect(await get(c, taskId)).toMatchObject({ result: text('done') });
	});

	it('is begun by one node only, of several that are asked at once', async () => {
		const { nodes, starts } = await openNodes(door);
		const [a, b, c] = nodes;
		const taskId = await start(a);
		await a.transport.close();
		await Promise.all(Array.from({ length: 20 }, (_, n) => get(n % 2 ? b : c, taskId)));
		expect(starts).toHaveLength(2);
	});

	it('asks anew, under a key that was never used', async () => {
		const { nodes, starts } = await openNodes(door);
		const [a, b, c] = nodes;
		const taskId = await start(a);
		starts[0]?.task.ask(question).catch(() => {});
		await until('the question', async () => (await get(b, taskId))['status'] === 'input_required');
		await a.transport.close();
		expect(await get(b, taskId)).toMatchObject({ status: 'working' });
		const answer = starts[1]?.task.ask(question);
		const keys = await until('the question', async () => Object.keys((await get(c, taskId))['inputRequests'] ?? {})[0]);
		expect(keys).not.toBe('input-1');
		const inputResponses = { 'input-1': { action: 'decline' }, [keys]: { action: 'accept' } };
		await request(c, 'tasks/update', { taskId, inputResponses });
		expect(await answer).toEqual({ action: 'accept' });
	});

	it('ends, and asks, as if its first node ran it: by what its tool says, and what its client declared', async () => {
		const { nodes, starts } = await openNodes(door);
		const [a, b, c] = nodes;
		const taskId = await start(a);
		await a.transport.close();
		await get(b, taskId);
		await expect(starts[1]?.task.ask({ method: 'roots/list' })).rejects.toThrow(/did not declare roots/);
		starts[1]?.finish('done', 'no number');
		const done = await until('the end', async () => {
			const task = await get(c, taskId);
			return task['status'] === 'completed' && task;
		});
		expect(done).toMatchObject({
			result: { isError: true, content: [{ text: expect.stringMatching(/Output valid/) }] },
		});
	});

	it('can be cancelled after that, and expires with its first start', async () => {
		const { nodes, starts, clock } = await openNodes(door);
		const [a, b, c] = nodes;
		const ids = [await start(a), await start(a)];
		clock.advance(3_000_000);
		await a.transport.close();
		for (const id of ids) await get(b, id);
		await request(c, 'tasks/cancel', { taskId: ids[0] });
		await until('the end of the work', () => starts[2]?.task.signal.aborted);
		clock.advance(600_000);
		await until('the end of the work', () => starts[3]?.task.signal.aborted);
	});

	it('is not changed any more by a node that was taken for dead, whose work is aborted', async () => {
		const { nodes, starts, info } = await openNodes(door);
		const [a, b, c] = nodes;
		const taskId = await start(a);
		const stored = await info.readState(`task ${taskId}`, 'task');
		const orphaned = stored?.value.replace(a.transport.nodeId, '') ?? '';
		expect(await info.writeState(`task ${taskId}`, 'task', stored?.version, orphaned)).toBe(true);
		await get(b, taskId);
		await until('the end of the old work', () => starts[0]?.task.signal.aborted);
		starts[0]?.finish('late');
		await expect(starts[0]?.task.report('late')).resolves.toBeUndefined();
		await expect(starts[0]?.task.ask(question)).rejects.toThrow(/begun the task anew/);
		expect(await get(c, taskId)).toMatchObject({ status: 'working' });
		starts[1]?.finish('new');
		const done = await until('the result', async () => {
			const task = await get(c, taskId);
			return task['status'] === 'completed' && task;
		});
		expect(done).toMatchObject({ result: text('new') });
		expect(done['statusMessage']).toBeUndefined();
	});

	it('waits for a node that has room, and fails on one that does not know its work', async () => {
		const { nodes, starts } = await openNodes(door, { maxRunning: 1, names: [0, 1] });
		const [a, b, c] = nodes;
		const taskId = await start(a);
		await start(b);
		await a.transport.close();
		expect(await get(b, taskId)).toMatchObject({ status: 'working' });
		expect(starts).toHaveLength(2);
		starts[1]?.finish('room');
		await until('the task is begun anew', async () => (await get(b, taskId)) && starts.length === 3);
		await b.transport.close();
		expect(await get(c, taskId)).toMatchObject({ status: 'failed' });
	});

	it('is named once on a node', async () => {
		const { nodes } = await openNodes(door);
		expect(() => nodes[0].transport.tasks.restartable('work', () => text(''))).toThrow(/called "work" already/);
	});
});
