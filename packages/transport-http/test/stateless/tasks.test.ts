import {
	InMemoryInfoSessionManager,
	InMemoryStreamSessionManager,
	SessionManagerError,
} from '@holdfast/session-manager';
import { ManualClock } from '@holdfast/session-manager/testing';
import { HttpTransport, type RunTaskOptions, type Task, type TaskOptions } from '@holdfast/transport-http';
import { McpServer, ProtocolError } from '@modelcontextprotocol/server';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Loose } from '../../../../test/support/clients/wire-response.ts';
import { type Door, doors } from '../../../../test/support/doors.ts';
import { initializeMessage, Rig, textOf } from '../../../../test/support/rig.ts';
import { ask, statelessMessage } from '../../../../test/support/stateless-request.ts';
import { until } from '../../../../test/support/until.ts';

const TASKS = 'io.modelcontextprotocol/tasks';
const capabilities = { elicitation: {}, extensions: { [TASKS]: {} } };
const HOUR = 3_600_000;

type Work = (task: Task) => Promise<{ content: { type: 'text'; text: string }[]; structuredContent?: Loose }>;
const text = (value: string) => ({ content: [{ type: 'text' as const, text: value }] });
const question = { method: 'elicitation/create', params: { message: 'Sure?', requestedSchema: { type: 'object' } } };

class Info extends InMemoryInfoSessionManager {
	isDown = false;
	failure: Error = new SessionManagerError('unavailable', 'The store is away.');

	override writeState(...args: Parameters<InMemoryInfoSessionManager['writeState']>) {
		if (this.isDown) throw this.failure;
		return super.writeState(...args);
	}
}

/** Two nodes with one tool `work`, whose work is the test's. */
async function openNodes(door: Door, work: Work, options: TaskOptions = {}, run: RunTaskOptions = {}) {
	const clock = new ManualClock(1_000_000);
	const info = new Info({ clock });
	const sessionManager = { info, streams: new InMemoryStreamSessionManager({ clock }) };
	const open = async () => {
		const rig: Rig = await Rig.open(door, {
			clock,
			sessionManager,
			stateless: { tasks: options },
			createServer: () => {
				const server = new McpServer({ name: 'tasks', version: '1' });
				const outputSchema = z.object({ n: z.number() }).partial();
				server.registerTool('work', { outputSchema }, (context) =>
					rig.transport.tasks.run(context, async (task) => ({ structuredContent: {}, ...(await work(task)) }), run),
				);
				return server;
			},
			authenticate: ({ header }) => {
				const sub = header('authorization');
				return sub === undefined
					? undefined
					: { token: `${sub} ${Math.random()}`, clientId: 'c', scopes: [], extra: { sub } };
			},
		});
		return rig;
	};
	return { a: await open(), b: await open(), clock, info };
}

const meta = { capabilities };

async function request(rig: Rig, method: string, params: Loose = {}, sub = 'ann', envelope: Loose = meta) {
	const answer = await ask(rig, statelessMessage(method, params, envelope), { authorization: sub });
	return { status: answer.status, ...(await answer.json()) };
}

async function start(rig: Rig, sub?: string): Promise<string> {
	const { result } = await request(rig, 'tools/call', { name: 'work', arguments: {} }, sub);
	expect(result).toMatchObject({ resultType: 'task', status: 'working' });
	return result.taskId;
}

const get = async (rig: Rig, taskId: string, sub?: string): Promise<Loose> =>
	(await request(rig, 'tasks/get', { taskId }, sub)).result;
const reaches = (rig: Rig, taskId: string, status: string) =>
	until(`a task is ${status}`, async () => {
		const task = await get(rig, taskId);
		return task['status'] === status && task;
	});

/** Work that goes on until the test says so, or it is aborted. */
function gate() {
	let open = () => {};
	const opened = new Promise<void>((resolve) => {
		open = resolve;
	});
	const aborted: unknown[] = [];
	const work: Work = (task) =>
		new Promise((resolve, reject) => {
			void opened.then(() => resolve(text('done')));
			task.signal.addEventListener('abort', () => {
				aborted.push(task.signal.reason.message);
				reject(task.signal.reason);
			});
		});
	return { work, open, aborted };
}

/** A call of 2025-11-25 that says of its client what one of 2026-07-28 would. */
const forged = {
	jsonrpc: '2.0',
	id: 1,
	method: 'tools/call',
	params: { name: 'work', arguments: {}, _meta: { 'io.modelcontextprotocol/clientCapabilities': capabilities } },
};

const unknown = { status: 200, error: { code: -32602 } };
const missing = {
	status: 400,
	error: { code: -32021, data: { requiredCapabilities: { extensions: { [TASKS]: {} } } } },
};

describe.each(doors)('tasks, through $name', (door) => {
	it('are told of with their whole shape, and every node knows them once the call is answered', async () => {
		const { work, open } = gate();
		const { a, b, clock } = await openNodes(door, work);
		const { result } = await request(a, 'tools/call', { name: 'work', arguments: {} });
		const { taskId } = result;
		const at = new Date(clock.now()).toISOString();
		const told = { taskId, status: 'working', createdAt: at, lastUpdatedAt: at, ttlMs: HOUR, pollIntervalMs: 1_000 };
		const serverInfo = { 'io.modelcontextprotocol/serverInfo': { name: 'tasks', version: '1' } };
		expect(result).toEqual({ resultType: 'task', ...told, _meta: serverInfo });
		expect(await get(b, taskId)).toEqual({ resultType: 'complete', ...told, _meta: serverInfo });
		open();
		expect(await reaches(b, taskId, 'completed')).toMatchObject({ result: text('done') });
	});

	it('are offered by a server that has them, and by no other', async () => {
		const { a } = await openNodes(door, async () => text('done'));
		const { result } = await request(a, 'server/discover');
		expect(result.capabilities.extensions).toEqual({ [TASKS]: {} });
		const without = await Rig.open(door, {
			stateless: {},
			createServer: () => new McpServer({ name: 'x', version: '1' }),
		});
		const discovered = await ask(without, statelessMessage('server/discover', {}, meta));
		expect((await discovered.json()).result.capabilities.extensions).toBeUndefined();
		const answer = await ask(without, statelessMessage('tasks/get', { taskId: 'x' }, meta));
		expect([answer.status, (await answer.json()).error.code]).toEqual([404, -32601]);
	});

	it('are missing where a server has none and its work must ask', async () => {
		const rig: Rig = await Rig.open(door, {
			stateless: {},
			createServer: () => {
				const server = new McpServer({ name: 'x', version: '1' });
				server.registerTool('work', {}, (context) =>
					rig.transport.tasks.run(context, async (task) => text(String(await task.ask(question)))),
				);
				return server;
			},
		});
		expect(await request(rig, 'tools/call', { name: 'work', arguments: {} })).toMatchObject(missing);
	});

	it('are not for a client that does not know them: it waits for the result', async () => {
		const { a } = await openNodes(door, async () => text('done'));
		const waits = await request(a, 'tools/call', { name: 'work', arguments: {} }, 'ann', {});
		expect(waits.result).toMatchObject({ resultType: 'complete', ...text('done') });
		for (const method of ['tasks/get', 'tasks/update', 'tasks/cancel'])
			expect(await request(a, method, { taskId: 'x', inputResponses: {} }, 'ann', {})).toMatchObject(missing);
	});

	it('are required where the tool says so, or its work must ask', async () => {
		const call = [{ name: 'work', arguments: {} }, 'ann', {}] as const;
		const { a } = await openNodes(door, async () => text('done'), {}, { required: true });
		expect(await request(a, 'tools/call', ...call)).toMatchObject(missing);
		const asking = await openNodes(door, async (task) => text(String(await task.ask(question))));
		expect(await request(asking.a, 'tools/call', ...call)).toMatchObject(missing);
	});

	it('are run in place in a session, where the work asks the client itself', async () => {
		const rig = await Rig.open(door, {
			stateless: { tasks: {} },
			createServer: () => {
				const server = new McpServer({ name: 'tasks', version: '1' });
				server.registerTool('work', {}, (context) =>
					rig.transport.tasks.run(context, async (task) => text(JSON.stringify(await task.ask(question)))),
				);
				return server;
			},
		});
		const session = await rig.session({ capabilities: { elicitation: {} } });
		const response = await session.call('work');
		const asked = await response.message(0);
		expect(asked.method).toBe('elicitation/create');
		await session.reply(asked['id'], { action: 'decline' });
		expect(textOf(await response.answer())).toContain('decline');
	});

	it.each([
		['in a session', {}],
		['in a session, where they are required', { required: true }],
	])('are not made by what a client writes into `_meta` %s: the work runs once, in place', async (_where, run) => {
		let starts = 0;
		const { a, info } = await openNodes(door, async () => text(`start ${++starts}`), {}, run);
		const opened = await a.post(initializeMessage(), { authorization: 'ann' });
		const headers = { authorization: 'ann', 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '' };
		const { result } = await (await a.post(forged, headers)).answer();
		expect([result, starts, info.stats().records]).toMatchObject([text('start 1'), 1, 0]);
	});

	it('are not made by it without sessions either', async () => {
		let starts = 0;
		const rig = await Rig.open(door, {
			sessions: 'off',
			stateless: { tasks: {} },
			createServer: () => {
				const server = new McpServer({ name: 'tasks', version: '1' });
				server.registerTool('work', {}, (context) =>
					rig.transport.tasks.run(context, async () => text(`start ${++starts}`), { required: true }),
				);
				return server;
			},
		});
		expect((await (await rig.post(forged)).answer()).result).toEqual(text('start 1'));
	});

	it('end as their work ends: with a result, an error of the tool, or one of the protocol', async () => {
		const fails = async (error: Error) => {
			const { a } = await openNodes(door, () => Promise.reject(error));
			const id = await start(a);
			return until('the end of a task', async () => {
				const task = await get(a, id);
				return task['status'] !== 'working' && task;
			});
		};
		const toolError = { status: 'completed', result: { isError: true, ...text('no luck') } };
		expect(await fails(new Error('no luck'))).toMatchObject(toolError);
		const protocolError = { status: 'failed', error: { code: -32603, message: 'broken' } };
		expect(await fails(new ProtocolError(-32603, 'broken'))).toMatchObject(protocolError);
	});

	it('are cancelled on any node: the work is aborted, and its end does not count any more', async () => {
		const { work, open, aborted } = gate();
		const { a, b } = await openNodes(door, work);
		const taskId = await start(a);
		const ack = await request(b, 'tasks/cancel', { taskId });
		expect(Object.keys(ack.result)).toEqual(['resultType', '_meta']);
		await until('the end of the work', () => aborted.length === 1);
		open();
		expect(await get(a, taskId)).toMatchObject({ status: 'cancelled' });
		expect((await request(b, 'tasks/cancel', { taskId })).result.resultType).toBe('complete');
	});

	it('ask, and go on with the answers that any node gets, one by one', async () => {
		const { a, b } = await openNodes(door, async (task) =>
			text(JSON.stringify(await Promise.all([task.ask(question), task.ask(question)]))),
		);
		const taskId = await start(a);
		const waits = await until('two questions', async () => {
			const task = await get(b, taskId);
			return Object.keys(task['inputRequests'] ?? {}).length === 2 && task;
		});
		expect(waits).toMatchObject({ status: 'input_required', inputRequests: { 'input-1': question } });
		const answer = (n: number) => ({ [`input-${n}`]: { action: 'accept', content: { n } } });
		await request(b, 'tasks/update', { taskId, inputResponses: { ...answer(2), other: {}, 'input-1': 'no object' } });
		expect(Object.keys((await get(a, taskId))['inputRequests'])).toEqual(['input-1']);
		await request(b, 'tasks/update', { taskId, inputResponses: answer(2) });
		await request(a, 'tasks/update', { taskId, inputResponses: answer(1) });
		const { result } = await reaches(b, taskId, 'completed');
		expect(JSON.parse(result.content[0].text).map(({ content }: Loose) => content)).toEqual([{ n: 1 }, { n: 2 }]);
	});

	it('are nobody else’s: others can neither read, answer nor cancel them, nor hear of them', async () => {
		const { work, aborted } = gate();
		const { a, b } = await openNodes(door, work);
		const taskId = await start(a, 'ann');
		for (const method of ['tasks/get', 'tasks/update', 'tasks/cancel'])
			for (const id of [taskId, 'x', `task ${taskId}`])
				expect(await request(b, method, { taskId: id, inputResponses: {} }, 'eve')).toMatchObject(unknown);
		const heard = await ask(
			b,
			statelessMessage('subscriptions/listen', { notifications: { taskIds: [taskId] } }, meta),
			{ authorization: 'eve' },
		);
		expect((await heard.message(0)).params.notifications).toEqual({});
		expect([aborted, await get(a, taskId, 'ann')]).toMatchObject([[], { status: 'working' }]);
	});

	it('cannot be opened as a session, and a session is no task', async () => {
		const { work } = gate();
		const { a } = await openNodes(door, work);
		const taskId = await start(a);
		for (const id of [taskId, `task ${taskId}`]) {
			const answer = await a.post(
				{ jsonrpc: '2.0', id: 1, method: 'tools/list' },
				{ authorization: 'ann', 'mcp-session-id': id, 'mcp-protocol-version': '2025-11-25' },
			);
			expect(answer.status).toBe(404);
		}
	});

	it('are told of over listen on any node: what they are, and each change', async () => {
		const { work, open } = gate();
		const { a, b } = await openNodes(door, work);
		const taskId = await start(a);
		const stream = await ask(
			b,
			statelessMessage('subscriptions/listen', { notifications: { taskIds: [taskId, 'other'] } }, meta, 7),
			{ authorization: 'ann' },
		);
		expect((await stream.message(0)).params.notifications).toEqual({ taskIds: [taskId] });
		const told = { method: 'notifications/tasks', params: { taskId, status: 'working' } };
		expect(await stream.message(1)).toMatchObject(told);
		open();
		const done = { taskId, status: 'completed', result: text('done') };
		expect(await stream.message(2)).toMatchObject({ method: 'notifications/tasks', params: done });
		expect((await stream.message(2)).params._meta).toEqual({ 'io.modelcontextprotocol/subscriptionId': 7 });
	});

	it('have a limit for each principal and for a node, and free it', async () => {
		const { work, open } = gate();
		const { a, b } = await openNodes(door, work, { maxPerPrincipal: 2, maxRunning: 3 });
		const tooMany = async (rig: Rig, sub: string) => {
			const { result } = await request(rig, 'tools/call', { name: 'work', arguments: {} }, sub);
			return result.isError === true && /at most 2|runs 3 tasks/.test(result.content[0].text);
		};
		const first = await start(a);
		await start(b);
		expect(await tooMany(a, 'ann')).toBe(true);
		await start(a, 'bob');
		await start(a, 'cy');
		expect(await tooMany(a, 'dan')).toBe(true);
		open();
		await reaches(b, first, 'completed');
		await start(a, 'dan');
	});

	it('expire with their results, and their work is aborted', async () => {
		const { work, aborted } = gate();
		const { a, b, clock } = await openNodes(door, work, { ttlMs: 5_000 });
		const taskId = await start(a);
		clock.advance(4_999);
		expect(await get(b, taskId)).toMatchObject({ status: 'working', ttlMs: 5_000 });
		clock.advance(1);
		expect(await request(b, 'tasks/get', { taskId })).toMatchObject(unknown);
		await until('the end of the work', () => aborted[0] === 'The task expired.');
	});

	it('are exported and erased with their person, on every node', async () => {
		const { work, aborted } = gate();
		const { a, b } = await openNodes(door, work);
		const taskId = await start(a);
		const { records } = await b.transport.principals.export(' ann');
		expect(records).toMatchObject([{ kind: 'task', state: { task: { value: { status: 'working' } } } }]);
		expect(JSON.stringify(records)).not.toContain(taskId);
		await b.transport.principals.erase(' ann');
		await until('the end of the work', () => aborted[0] === 'The task was erased.');
		expect(await request(a, 'tasks/get', { taskId })).toMatchObject(unknown);
	});

	it('have failed when the node that runs them is closed', async () => {
		const { work, aborted } = gate();
		const { a, b } = await openNodes(door, work);
		const taskId = await start(a);
		await a.transport.close();
		expect(await get(b, taskId)).toMatchObject({ status: 'failed', error: { code: -32000 } });
		expect(aborted).toHaveLength(1);
	});

	it('keep their node from leaving while they work, and not while they wait for a client', async () => {
		const { work, open } = gate();
		const { a, b, clock } = await openNodes(door, work);
		const taskId = await start(a);
		let left = false;
		const leaving = a.transport.drain({ delayMs: 0, spreadMs: 0 }).then(() => {
			left = true;
		});
		clock.advance(1_000);
		expect(left).toBe(false);
		open();
		await reaches(b, taskId, 'completed');
		await until('the end of the drain', () => {
			clock.advance(50);
			return left;
		});
		await leaving;
	});

	it.each([
		['was away', new SessionManagerError('unavailable', 'The store is away.')],
		['failed in a way of its own', new Error('A driver has a problem.')],
	])('end although the store %s when they did', async (_, failure) => {
		const { work, open } = gate();
		const { a, b, clock, info } = await openNodes(door, work);
		const taskId = await start(a);
		info.failure = failure;
		info.isDown = true;
		open();
		await until('the failure', () => a.errors.length === 1);
		clock.advance(999);
		expect(a.errors).toEqual([failure]);
		expect(await get(b, taskId)).toMatchObject({ status: 'working' });
		info.isDown = false;
		await until('the result', async () => {
			clock.advance(1_000);
			return (await get(b, taskId))['status'] === 'completed';
		});
	});

	it('are not counted where the store did not take them', async () => {
		const { a, info } = await openNodes(door, async () => text('done'), { maxPerPrincipal: 1 });
		info.isDown = true;
		await expect(start(a)).rejects.toThrow();
		info.isDown = false;
		expect(await start(a)).toEqual(expect.any(String));
	});

	it('have the error that a call would have where a result is not what their tool says', async () => {
		const wrong = { ...text('done'), structuredContent: { n: 'one' } };
		const { a } = await openNodes(door, async () => wrong);
		const waits = (await request(a, 'tools/call', { name: 'work', arguments: {} }, 'ann', {})).result;
		expect(waits).toMatchObject({ isError: true, content: [{ text: expect.stringMatching(/Output validation/) }] });
		const { result } = await reaches(a, await start(a), 'completed');
		const { _meta, resultType, ...told } = waits;
		expect(result).toEqual(told);
	});

	it('ask only what their client declared; the work is told what is missing, and else the client', async () => {
		const url = {
			method: 'elicitation/create',
			params: { mode: 'url', message: 'Pay', url: 'https://x', elicitationId: '1' },
		};
		const sampling = { method: 'sampling/createMessage', params: { messages: [], maxTokens: 1 } };
		const kinds = {
			form: [question, { elicitation: { form: {} } }],
			url: [url, { elicitation: { url: {} } }],
			sampling: [sampling, { sampling: {} }],
			tools: [{ ...sampling, params: { ...sampling.params, tools: [] } }, { sampling: { tools: {} } }],
			roots: [{ method: 'roots/list' }, { roots: {} }],
		} as const;
		const extensions = { [TASKS]: {} };
		for (const [asked, requiredCapabilities] of Object.values(kinds)) {
			const { a } = await openNodes(door, async (task) => text(JSON.stringify(await task.ask(asked))));
			const by = async (declared: Loose) => {
				const meta = { capabilities: { ...declared, extensions } };
				const { result } = await request(a, 'tools/call', { name: 'work', arguments: {} }, 'ann', meta);
				return until('what becomes of a task', async () => {
					const task = await get(a, result.taskId);
					return task['status'] !== 'working' && task;
				});
			};
			const error = { code: -32021, data: { requiredCapabilities } };
			expect(await by({})).toMatchObject({ status: 'failed', error });
			expect(await by(requiredCapabilities)).toMatchObject({ status: 'input_required' });
		}
		const { a } = await openNodes(door, async (task) => text(await task.ask(url).then(String, ({ name }) => name)));
		const completed = await reaches(a, await start(a), 'completed');
		expect(completed).toMatchObject({ result: text('CannotAskError') });
	});

	it('are refused to listeners that did not declare them', async () => {
		const { a } = await openNodes(door, async () => text('done'));
		const notifications = { toolsListChanged: true, taskIds: ['x'] };
		expect(await request(a, 'subscriptions/listen', { notifications }, 'ann', {})).toMatchObject(missing);
		expect(a.transport.stats().connections).toBe(0);
	});

	it('have the results that a call would have', async () => {
		const dated = { ...text('dated'), structuredContent: { at: new Date(0), none: undefined } };
		const { a } = await openNodes(door, async () => dated);
		const completed = await reaches(a, await start(a), 'completed');
		expect(completed).toMatchObject({ result: { structuredContent: { at: '1970-01-01T00:00:00.000Z' } } });
	});

	it('whose results cannot be kept have failed, and say so', async () => {
		const { a } = await openNodes(door, async () => text('x'.repeat(11 * 1024 * 1024)));
		const taskId = await start(a);
		const failed = await until('the failure', async () => {
			a.clock.advance(1);
			const task = await get(a, taskId);
			return task['status'] === 'failed' && task;
		});
		expect(failed).toMatchObject({ error: { code: -32603 } });
	});
});

it('tasks have options that are checked', () => {
	const make = () => new McpServer({ name: 'x', version: '1' });
	expect(() => new HttpTransport(make, { stateless: { tasks: { ttlMs: -1 } } })).toThrow(/ttlMs/);
});
