import { InMemoryInfoSessionManager, InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { ManualClock } from '@holdfast/session-manager/testing';
import type { TaskOptions } from '@holdfast/transport-http';
import type { TaskStore } from '@modelcontextprotocol/sdk/experimental/tasks/interfaces.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { describe, expect, it } from 'vitest';
import type { Loose } from '../../../../test/support/clients/wire-response.ts';
import { type Door, doors } from '../../../../test/support/doors.ts';
import { at } from '../../../../test/support/nodes.ts';
import { initializeMessage, Rig, TestClient } from '../../../../test/support/rig.ts';
import { until } from '../../../../test/support/until.ts';

const HOUR = 3_600_000;
const done = { content: [{ type: 'text' as const, text: 'done' }] };

/** Two nodes whose servers of SDK v1 have a tool `work`, whose tasks end when the test says so. */
async function openNodes(door: Door, tasks?: TaskOptions) {
	const clock = new ManualClock(1_000_000);
	const info = new InMemoryInfoSessionManager({ clock });
	const sessionManager = { info, streams: new InMemoryStreamSessionManager({ clock }) };
	const works: { finish(): Promise<void>; ask(): Promise<unknown> }[] = [];
	const open = async () => {
		const rig: Rig = await Rig.open(door, {
			clock,
			sessionManager,
			...(tasks && { stateless: { tasks } }),
			createServer: () => {
				const taskStore: TaskStore = rig.transport.tasks.sessions;
				const capabilities = { tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } } };
				const server = new McpServer({ name: 'tasks', version: '1' }, { taskStore, capabilities });
				server.experimental.tasks.registerToolTask(
					'work',
					{},
					{
						async createTask({ taskStore: store, taskRequestedTtl }) {
							const task = await store.createTask({ ttl: taskRequestedTtl ?? null });
							const { taskId } = task;
							works.push({
								finish: () => store.storeTaskResult(taskId, 'completed', done),
								ask: () =>
									server.server.elicitInput({ message: 'Sure?', requestedSchema: { type: 'object', properties: {} } }),
							});
							return { task };
						},
						getTask: (extra) => extra.taskStore.getTask(extra.taskId),
						getTaskResult: async (extra) => (await extra.taskStore.getTaskResult(extra.taskId)) as typeof done,
					},
				);
				return server;
			},
			authenticate: ({ header }) => {
				const sub = header('authorization');
				return sub === undefined ? undefined : { token: sub, clientId: 'c', scopes: [], extra: { sub } };
			},
		});
		return rig;
	};
	return { a: await open(), b: await open(), clock, works, info };
}

class Named extends TestClient {
	override get headers() {
		return { ...super.headers, authorization: 'ann' };
	}
}

async function open(rig: Rig, capabilities: Loose = {}): Promise<Named> {
	const answer = await rig.post(initializeMessage({ capabilities }), { authorization: 'ann' });
	const { result } = await answer.answer();
	const client = new Named(rig, answer.headers.get('mcp-session-id') ?? '', result.protocolVersion, result);
	await client.notify('notifications/initialized');
	return client;
}

const on = (rig: Rig, { id, protocolVersion, result }: TestClient) => new Named(rig, id, protocolVersion, result);

async function start(client: TestClient, task: Loose = {}): Promise<Loose> {
	return (await (await client.request('tools/call', { name: 'work', arguments: {}, task })).answer()).result.task;
}

async function request(client: TestClient, method: string, params: Loose = {}): Promise<Loose> {
	const answer = await (await client.request(method, params)).answer();
	return answer.result ?? answer.error;
}

describe.each(doors)('tasks of 2025-11-25, through $name', (door) => {
	it('are told on any node of their session, and so is their result', async () => {
		const { a, b, works } = await openNodes(door);
		const client = await open(a);
		const task = await start(client);
		expect(task).toMatchObject({ status: 'working', ttl: HOUR, pollInterval: 1_000 });
		const { taskId } = task;
		expect(await request(on(b, client), 'tasks/get', { taskId })).toMatchObject({ taskId, status: 'working' });
		const result = request(on(b, client), 'tasks/result', { taskId });
		await works[0]?.finish();
		expect(await result).toMatchObject(done);
		expect(await request(client, 'tasks/get', { taskId })).toMatchObject({ status: 'completed' });
	});

	it('are listed and cancelled on any node, once, and what they bring after that is dropped', async () => {
		const { a, b, clock, works } = await openNodes(door);
		const client = await open(a);
		const ids: string[] = [];
		for (let n = 0; n < 3; n++) {
			ids.push((await start(client))['taskId']);
			clock.advance(1);
		}
		const { tasks } = await request(on(b, client), 'tasks/list');
		expect(tasks.map((task: Loose) => task['taskId'])).toEqual(ids);
		const [taskId] = ids;
		expect(await request(on(b, client), 'tasks/cancel', { taskId })).toMatchObject({ status: 'cancelled' });
		await expect(works[0]?.finish()).rejects.toThrow(/over/);
		expect(await request(client, 'tasks/get', { taskId })).toMatchObject({ status: 'cancelled' });
		expect(await request(client, 'tasks/cancel', { taskId })).toMatchObject({ code: -32602 });
	});

	it('are of their session alone, and no task of 2026-07-28', async () => {
		const { a, b } = await openNodes(door, {});
		const [client, other] = [await open(a), await open(b)];
		const { taskId } = await start(client);
		for (const method of ['tasks/get', 'tasks/result', 'tasks/cancel'])
			expect(await request(other, method, { taskId })).toMatchObject({ code: -32602 });
		expect(await request(other, 'tasks/list')).toMatchObject({ tasks: [] });
		for (const made of ['x', `task ${taskId}`, client.id])
			expect(await request(client, 'tasks/get', { taskId: made })).toMatchObject({ code: -32602 });
		expect(await request(client, 'tasks/get', { taskId })).toMatchObject({ status: 'working' });
	});

	it('live as long as the client wants, up to a limit, and have a limit for each principal', async () => {
		const { a, b, clock, info } = await openNodes(door, { ttlMs: 10_000, maxPerPrincipal: 2 });
		const client = await open(a);
		expect(await start(client, { ttl: 1e9 })).toMatchObject({ ttl: 10_000 });
		const { taskId, ttl } = await start(client, { ttl: 5_000 });
		expect(ttl).toBe(5_000);
		const refused = await client.request('tools/call', { name: 'work', arguments: {}, task: {} });
		expect((await refused.answer()).error).toBeDefined();
		expect(info.stats()).toMatchObject({ sessions: 1, records: 2 });
		clock.advance(5_000);
		expect(await request(on(b, client), 'tasks/get', { taskId })).toMatchObject({ code: -32602 });
	});

	it('have failed once the node that made them is gone, and their result is an error', async () => {
		const { a, b } = await openNodes(door);
		const client = await open(a);
		const { taskId } = await start(client);
		await a.transport.close();
		const here = on(b, client);
		expect(await request(here, 'tasks/get', { taskId })).toMatchObject({ status: 'failed' });
		const lost = { code: -32603, message: expect.stringContaining('The node that ran the task is gone.') };
		expect(await request(here, 'tasks/result', { taskId })).toMatchObject(lost);
	});

	it('are exported and erased with their person', async () => {
		const { a, b } = await openNodes(door);
		const client = await open(a);
		await start(client);
		const { records } = await b.transport.principals.export(' ann');
		expect(records).toMatchObject([{ kind: 'task', state: { task: { value: { status: 'working' } } } }]);
		await b.transport.principals.erase(' ann');
		expect((await a.transport.principals.export(' ann')).records).toEqual([]);
	});

	it('of an anonymous client are listed in its session', async () => {
		const { a, b } = await openNodes(door);
		const client = await a.session();
		const { taskId } = await start(client);
		expect(await request(at(b, client), 'tasks/list')).toMatchObject({ tasks: [{ taskId }] });
		expect(await request(await b.session(), 'tasks/list')).toMatchObject({ tasks: [] });
	});

	it('ask their client, whose answer may reach another node', async () => {
		const { a, b, works } = await openNodes(door);
		const client = await open(a, { elicitation: {} });
		await start(client);
		const stream = await on(b, client).get();
		const answer = works[0]?.ask();
		const message = await until('the question', () =>
			stream.messages.map((each) => each.message).find(({ method }) => method === 'elicitation/create'),
		);
		await on(b, client).reply(message['id'], { action: 'accept', content: {} });
		expect(await answer).toMatchObject({ action: 'accept' });
	});
});
