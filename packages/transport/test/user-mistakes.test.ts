import { createServer } from 'node:http';
import type { Session } from '@holdfast/session-manager';
import { HttpTransport } from '@holdfast/transport-http';
import { McpServer as McpServerV1 } from '@modelcontextprotocol/sdk/server/mcp.js';
import { McpServer as McpServerV2 } from '@modelcontextprotocol/server';
import { describe, expect, it } from 'vitest';
import { Happening } from '../../../test/support/deadline.ts';
import { doors } from '../../../test/support/doors.ts';
import { Rig } from '../../../test/support/rig.ts';
import { sdks, type Tool, v1McpServer } from '../../../test/support/servers.ts';
import { shutdown } from '../src/index.ts';

const info = { name: 'mistaken', version: '1' };
const nothing = { sessions: 0, liveServers: 0, requestsInFlight: 0, requestsWaiting: 0, connections: 0, bodyBytes: 0 };
const END_GRACE_MS = 50;

describe.each(doors)('through `$name`', (door) => {
	const failures: readonly { how: string; createServer: (session: Session) => Promise<McpServerV1> }[] = [
		{
			how: 'throws',
			createServer() {
				throw new Error('secret of the factory');
			},
		},
		{ how: 'rejects', createServer: () => Promise.reject(new Error('secret of the factory')) },
		{
			how: 'rejects later',
			createServer: () => new Promise((_, reject) => setImmediate(reject, new Error('secret of the factory'))),
		},
		{
			how: 'throws what is no error',
			createServer() {
				throw 'secret of the factory';
			},
		},
	];

	it.each(failures)(
		'a factory that $how gives 500 and nothing of its text, and is reported',
		async ({ createServer }) => {
			const rig = await Rig.open(door, { createServer });
			const answer = await rig.initialize();
			expect(answer.status).toBe(500);
			expect(answer.headers.get('mcp-session-id')).toBeNull();
			const body = await answer.json();
			expect(body.error.code).toBe(-32603);
			expect(JSON.stringify(body)).not.toContain('secret');
			expect(rig.errors.map(({ message }) => message)).toEqual([
				'The function that makes servers threw an error, so the client got 500: secret of the factory',
			]);
			expect(rig.transport.stats()).toEqual(nothing);
		},
	);

	it('a factory that fails once lets the next request of the session try again', async () => {
		let failing = false;
		const rig = await Rig.open(door, {
			createServer(session) {
				if (failing) throw new Error('out of order');
				return v1McpServer.make({ tools: { echo: ({ args }) => args['text'] } }, session);
			},
		});
		const client = await rig.session();
		await rig.transport.release(client.id);
		failing = true;
		expect((await client.call('echo', { text: 'x' })).status).toBe(500);
		expect(rig.transport.stats()).toEqual({ ...nothing, sessions: 1 });
		failing = false;
		expect(await client.ask('echo', { text: 'x' })).toBe('x');
		expect(rig.errors.map(({ message }) => message)).toEqual([
			expect.stringMatching(/threw an error.*: out of order$/),
		]);
	});

	it.each([
		{ sdk: 'v1', make: () => new McpServerV1(info) },
		{ sdk: 'v2', make: () => new McpServerV2(info) },
	])(
		'one server of SDK $sdk for all sessions serves the first, and every other gets 500 and a report',
		async ({ make }) => {
			const shared = make();
			const rig = await Rig.open(door, { createServer: () => shared });
			const first = await rig.session();
			const second = await rig.initialize();
			expect(second.status).toBe(500);
			expect(rig.errors.map(({ message }) => message)).toEqual([
				'The function that makes servers returned the same server twice; make a new one inside it each time.',
			]);
			expect((await (await first.request('ping')).answer()).result).toEqual({});
			expect(rig.transport.stats()).toEqual({ ...nothing, sessions: 1, liveServers: 1 });
		},
	);

	it.each([
		{ answers: 'nothing', made: undefined, told: 'it returned nothing: is a `return` missing?' },
		{ answers: 'null', made: null, told: 'it returned null.' },
		{ answers: 'something else', made: { name: 'x' }, told: 'it returned an object.' },
	])('a factory that answers $answers gives 500, and one sentence says what it must return', async ({ made, told }) => {
		const rig = await Rig.open(door, { createServer: (() => made) as never });
		expect((await rig.initialize()).status).toBe(500);
		expect(rig.errors.map(({ message }) => message)).toEqual([
			`The function that makes servers must return an McpServer or Server of an official SDK; ${told}`,
		]);
		expect(rig.transport.stats()).toEqual(nothing);
	});

	it.each(sdks)('a tool that throws gives a response of the $name, and the session goes on', async (sdk) => {
		const tools: Record<string, Tool> = {
			fail() {
				throw new Error('no such luck');
			},
		};
		const rig = await Rig.open(door, { sdk, tools });
		const client = await rig.session();
		const { result, error } = await (await client.call('fail')).answer();
		if (sdk.name === 'v1 Server') expect(error?.message).toContain('no such luck');
		else expect(result).toMatchObject({ isError: true, content: [{ type: 'text', text: 'no such luck' }] });
		expect(await client.ask('echo', { text: 'x' })).toBe('x');
		expect([rig.errors, rig.transport.stats().requestsInFlight]).toEqual([[], 0]);
	});

	it.each(sdks)(
		'a tool of the $name that never ends gets an error for its client, and an abort, when the session ends',
		async (sdk) => {
			const begun = new Happening('the tool');
			const aborted = new Happening('the abort of the call');
			const over = new Happening('the end of the session');
			const hang: Tool = ({ signal, session }) => {
				signal.addEventListener('abort', () => aborted.happen());
				session.signal.addEventListener('abort', () => over.happen());
				begun.happen();
				return new Promise<never>(() => {});
			};
			const rig = await Rig.open(door, { sdk, tools: { hang } });
			const client = await rig.session();
			const calling = client.call('hang');
			await begun.wait();
			expect((await client.delete()).status).toBe(200);
			await over.wait();
			rig.clock.advance(END_GRACE_MS);
			expect((await (await calling).answer()).error).toMatchObject({ code: -32001 });
			await aborted.wait();
			expect(rig.transport.stats()).toEqual(nothing);
			expect(rig.errors).toEqual([]);
		},
	);

	it('a tool that never ends does not keep the node from closing', async () => {
		const begun = new Happening('the tool');
		const hang: Tool = () => {
			begun.happen();
			return new Promise<never>(() => {});
		};
		const rig = await Rig.open(door, { tools: { hang } });
		const client = await rig.session();
		const calling = client.call('hang');
		await begun.wait();
		await rig.transport.close();
		expect((await (await calling).answer()).error?.code).toBeDefined();
		expect(rig.transport.stats()).toEqual(nothing);
	});

	it.each(sdks)('a server of the $name that a tool closes is made again for the next request', async (sdk) => {
		const servers: { close(): Promise<void> }[] = [];
		const tools: Record<string, Tool> = {
			echo: ({ args }) => args['text'],
			async close() {
				await servers.at(-1)?.close();
				return 'closed';
			},
		};
		const rig = await Rig.open(door, {
			createServer(session) {
				const server = sdk.make({ tools }, session);
				servers.push(server);
				return server;
			},
		});
		const client = await rig.session();
		expect((await (await client.call('close')).answer()).error?.message).toContain('closed');
		expect(await client.ask('echo', { text: 'x' })).toBe('x');
		expect(servers).toHaveLength(2);
		expect(rig.transport.stats()).toEqual({ ...nothing, sessions: 1, liveServers: 1 });
	});

	it('an onerror that throws ends nothing', async () => {
		const rig = await Rig.open(door, {
			createServer() {
				throw new Error('out of order');
			},
			onerror() {
				throw new Error('so is the report');
			},
		});
		expect((await rig.initialize()).status).toBe(500);
	});
});

describe('leaving', () => {
	const transport = new HttpTransport((session) => v1McpServer.make({ tools: {} }, session));
	const server = createServer();

	it.each([
		[{ delayMS: 1 }, 'drain has no option delayMS. Did you mean delayMs?'],
		[{ timeoutMs: '25' }, "drain: timeoutMs must be a number of milliseconds, 0 or more, not '25'."],
	])('names an option of drain that cannot work: %j', (options, message) => {
		expect(() => transport.drain(options as never)).toThrow(new TypeError(message));
	});

	it.each([
		[[transport], 'shutdown needs the server of node:http or node:https first, not a list.'],
		[server, 'shutdown needs the list of transports second, such as [transport], not undefined.'],
		[
			server,
			transport,
			'shutdown needs the list of transports second, such as [transport], not an object of class HttpTransport.',
		],
		[server, [transport], { idle: 1 }, 'shutdown has no option idle.'],
		[server, [transport], { signal: {} }, 'shutdown: signal must be an AbortSignal, not an object.'],
	])('names what shutdown cannot work with', (...all) => {
		const message = all.pop() as string;
		expect(() => shutdown(...(all as unknown as Parameters<typeof shutdown>))).toThrow(new TypeError(message));
	});
});
