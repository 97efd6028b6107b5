import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type InfoSessionManager, type StreamSessionManager, systemClock } from '@holdfast/session-manager/custom';
import { postgresSessionManager } from '@holdfast/session-manager-postgres';
import { redisSessionManager } from '@holdfast/session-manager-redis';
import { sqliteSessionManager } from '@holdfast/session-manager-sqlite';
import { type CallContext, HttpTransport, type Task } from '@holdfast/transport-http';
import { McpServer } from '@modelcontextprotocol/server';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Loose } from '../../../../test/support/clients/wire-response.ts';
import { doors, type OpenDoor } from '../../../../test/support/doors.ts';
import { PostgresServer } from '../../../../test/support/postgres/postgres-server.ts';
import { RedisServer } from '../../../../test/support/redis/redis-server.ts';
import { statelessHeaders, statelessMessage } from '../../../../test/support/stateless-request.ts';
import { until } from '../../../../test/support/until.ts';

const capabilities = { elicitation: {}, extensions: { 'io.modelcontextprotocol/tasks': {} } };
const text = (value: string) => ({ content: [{ type: 'text' as const, text: value }] });
const question = { method: 'elicitation/create', params: { message: 'Sure?', requestedSchema: { type: 'object' } } };
const works = {
	ask: async (task: Task) => text(JSON.stringify(await task.ask(question))),
	wait: ({ signal }: Task) =>
		new Promise<ReturnType<typeof text>>((_, reject) => {
			signal.addEventListener('abort', () => reject(signal.reason));
		}),
};
/** How often the work was begun that may be begun anew. */
const begun: Task[] = [];

/** A node in this process with a connection of its own to the store. */
class Node {
	readonly #transport: HttpTransport;
	readonly #door: OpenDoor;
	readonly #close: () => Promise<void>;

	private constructor(transport: HttpTransport, door: OpenDoor, close: () => Promise<void>) {
		this.#transport = transport;
		this.#door = door;
		this.#close = close;
	}

	static async on(store: { streams: StreamSessionManager; info: InfoSessionManager; close(): Promise<void> }) {
		// It makes its schema on first use, which takes longer on a busy machine than a call waits.
		await until(
			'the store is reached',
			async () => !(await store.streams.has('nobody')) && !(await store.info.read('nobody')),
			25_000,
		);
		const transport: HttpTransport = new HttpTransport(() => makeServer(), {
			sessionManager: store,
			clock: systemClock,
			// The store is closed right after the transport.
			onerror: () => {},
			stateless: { tasks: { maxPerPrincipal: 3 } },
			authenticate: ({ header }) => {
				const sub = header('authorization') ?? '';
				return { token: sub, clientId: 'c', scopes: [], extra: { sub } };
			},
		});
		const anew = transport.tasks.restartable('anew', ({ label }: { label: string }, task) =>
			begun.push(task) === 1 ? works.wait(task) : text(label),
		);
		const makeServer = () => {
			const server = new McpServer({ name: 'stores', version: '1' });
			for (const [name, work] of Object.entries(works))
				server.registerTool(name, {}, (context) => transport.tasks.run(context, work));
			server.registerTool('anew', { inputSchema: z.object({ label: z.string() }) }, (args, context) =>
				anew(context, args),
			);
			const inputSchema = z.object({ handle: z.string().optional() });
			server.registerTool('add', { inputSchema }, async ({ handle: given }, context: CallContext) => {
				const { state, handle } = await transport.stateOf(context, given);
				return { content: [], structuredContent: { value: await state.increment('n', 1), handle } };
			});
			return server;
		};
		const [, door] = doors;
		if (door === undefined) throw new Error('There is no door.');
		return new Node(transport, await door.open(transport), () => store.close());
	}

	async request(method: string, params: Loose, authorization = 'ann'): Promise<Loose> {
		const message = statelessMessage(method, params, { capabilities });
		const headers = { ...statelessHeaders(message), authorization };
		const answer = await (await this.#door.send({ headers, body: JSON.stringify(message) })).answer();
		return answer.result ?? answer.error;
	}

	async start(name: string, args: Loose = {}, sub?: string): Promise<string> {
		return (await this.request('tools/call', { name, arguments: args }, sub))['taskId'];
	}

	erase(sub: string): Promise<number> {
		return this.#transport.principals.erase(` ${sub}`);
	}

	async close(): Promise<void> {
		await this.#transport.close();
		await this.#door.close();
		await this.#close();
	}
}

type Store = { readonly url: string; close(): Promise<void> };

async function server(created: Promise<RedisServer | PostgresServer>): Promise<Store> {
	const { url, dispose } = await created.then((each) => ({ url: each.url, dispose: () => each.dispose() }));
	return { url, close: dispose };
}

async function file(): Promise<Store> {
	const folder = await mkdtemp(join(tmpdir(), 'tasks-'));
	return { url: join(folder, 'sessions.db'), close: async () => rmSync(folder, { recursive: true }) };
}

describe.each([
	['Redis', () => server(RedisServer.create()), redisSessionManager],
	['PostgreSQL', () => server(PostgresServer.create()), postgresSessionManager],
	['one SQLite file', file, sqliteSessionManager],
] as const)('without sessions, on %s', (_, open, managersOn) => {
	let store: Store;
	let nodes: Node[] = [];
	const node = (index: number) => nodes[index % nodes.length] as Node;
	beforeAll(async () => {
		store = await open();
		nodes = await Promise.all([1, 2, 3].map(() => Node.on(managersOn(store.url))));
		begun.length = 0;
	});
	afterAll(async () => {
		await Promise.all(nodes.map((each) => each.close()));
		await store?.close();
	});
	const get = (index: number, taskId: string, sub?: string) => node(index).request('tasks/get', { taskId }, sub);

	test('tasks are told, answered and cancelled on every node, by their caller only, and have a limit', async () => {
		const taskId = await node(0).start('ask');
		const { inputRequests } = await until('the question', async () => {
			const task = await get(1, taskId);
			return task['status'] === 'input_required' && task;
		});
		const inputResponses = { [Object.keys(inputRequests)[0] ?? '']: { action: 'accept' } };
		expect(await node(2).request('tasks/update', { taskId, inputResponses }, 'eve')).toMatchObject({ code: -32602 });
		await node(2).request('tasks/update', { taskId, inputResponses });
		await until('the result', async () => (await get(1, taskId))['status'] === 'completed');
		expect((await get(2, taskId))['result']).toEqual(text('{"action":"accept"}'));
		const waiting = await node(0).start('wait');
		await node(1).request('tasks/cancel', { taskId: waiting });
		expect((await get(2, waiting))['status']).toBe('cancelled');
		await node(2).start('wait');
		const refused = await node(1).request('tools/call', { name: 'wait', arguments: {} });
		expect(refused).toMatchObject({ isError: true, content: [{ text: expect.stringMatching('at most 3 tasks') }] });
	});

	test('a task goes with its person, and one may be begun anew when its node leaves', async () => {
		const erased = await node(0).start('wait', {}, 'bob');
		await node(1).erase('bob');
		for (const index of [0, 1, 2]) expect(await get(index, erased, 'bob')).toMatchObject({ code: -32602 });
		const [lost, restartable] = [
			await node(0).start('wait', {}, 'bob'),
			await node(0).start('anew', { label: 'wait' }, 'bob'),
		];
		await nodes.shift()?.close();
		expect((await get(0, lost, 'bob'))['status']).toBe('failed');
		const done = await until('the result', async () => {
			const task = await get(1, restartable, 'bob');
			return task['status'] === 'completed' && task;
		});
		expect(done['result']).toEqual(text('wait'));
	});

	test('120 increments of one handle, from all nodes at once, lose nothing, and erasing takes it', async () => {
		const add = async (index: number, handle?: string): Promise<Loose> =>
			(await node(index).request('tools/call', { name: 'add', arguments: { handle } }, 'cy'))['structuredContent'];
		const { handle } = await add(0);
		const values: number[] = [];
		for (let wave = 0; wave < 4; wave++) {
			const added = await Promise.all(Array.from({ length: 30 }, (_, n) => add(n, handle)));
			values.push(...added.map(({ value }) => value));
		}
		expect(values.sort((a, b) => a - b)).toEqual(Array.from({ length: 120 }, (_, n) => n + 2));
		await node(1).erase('cy');
		expect(await add(0, handle)).toBeUndefined();
	});
});
