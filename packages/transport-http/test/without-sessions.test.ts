import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { doors } from '../../../test/support/doors.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { gatedTool } from '../../../test/support/gated-tool.ts';
import { openNodes } from '../../../test/support/nodes.ts';
import { initializeMessage, postHeaders, Rig, type RigOptions, textOf } from '../../../test/support/rig.ts';
import { sdks, type Tool } from '../../../test/support/servers.ts';

const nothing = { sessions: 0, liveServers: 0, requestsInFlight: 0, requestsWaiting: 0, connections: 0, bodyBytes: 0 };
const own = {
	sees: ({ session }) => String(session),
	log: async ({ here }) => {
		await here.log('info', 'on the way');
		return 'logged';
	},
	roots: async ({ here, outside }) => {
		const asked = await Promise.allSettled([here.roots({ timeout: 500 }), outside.roots({ timeout: 500 })]);
		return asked.map(({ status }) => status).join(' ');
	},
} satisfies Record<string, Tool>;

const call = (name: string, id: unknown = 1) => ({
	jsonrpc: '2.0',
	id,
	method: 'tools/call',
	params: { name, arguments: { text: 'hello' } },
});

describe.each(doors)('sessions off, through $name', (door) => {
	const open = (options: RigOptions = {}) =>
		Rig.open(door, { sessions: 'off', ...options, tools: { ...own, ...options.tools } });

	it.each(sdks)('each POST is served by a server of its own, made without a session ($name)', async (sdk) => {
		const rig = await open({ sdk });
		for (const [index, name] of ['echo', 'sees', 'log'].entries()) {
			const answer = await rig.post(call(name, index));
			expect([answer.status, answer.headers.get('mcp-session-id')]).toEqual([200, null]);
			expect(textOf(await answer.answer())).toBe(['hello', 'undefined', 'logged'][index]);
			await answer.ended();
		}
		expect(rig.made).toEqual([undefined, undefined, undefined]);
		await eventually(() => rig.transport.stats()).toEqual(nothing);
	});

	it('initialize is answered, with no id, and is not needed', async () => {
		const rig = await open();
		const answer = await rig.initialize();
		expect([answer.status, answer.headers.get('mcp-session-id')]).toEqual([200, null]);
		expect((await answer.json()).result).toMatchObject({ protocolVersion: '2025-11-25' });
		expect((await rig.post({ jsonrpc: '2.0', method: 'notifications/initialized' })).status).toBe(202);
		expect(rig.transport.stats()).toEqual(nothing);
	});

	it.each(['GET', 'DELETE', 'PUT'])('%s is refused with 405, which says what is allowed', async (method) => {
		const rig = await open();
		const answer = await rig.send({ method, headers: { ...postHeaders, 'mcp-session-id': 'whatever' } });
		expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST, OPTIONS']);
	});

	it('an id that a client sends means nothing: nobody is told of a session', async () => {
		const rig = await open();
		const answer = await rig.post(call('sees'), { 'mcp-session-id': 'guess' });
		expect([answer.status, answer.headers.get('mcp-session-id')]).toEqual([200, null]);
		expect(textOf(await answer.answer())).toBe('undefined');
	});

	it('what needs a session is refused: a question to the client, a subscription', async () => {
		const rig = await open();
		expect(textOf(await (await rig.post(call('roots'))).answer())).toBe('rejected rejected');
		const subscribed = await rig.post({
			jsonrpc: '2.0',
			id: 2,
			method: 'resources/subscribe',
			params: { uri: 'test://x' },
		});
		expect((await subscribed.answer()).error).toMatchObject({
			code: -32600,
			message: expect.stringMatching(/session/),
		});
	});

	it('a response is taken, and goes nowhere', async () => {
		const rig = await open();
		expect((await rig.post({ jsonrpc: '2.0', id: 1, result: {} })).status).toBe(202);
		expect(rig.made).toEqual([]);
	});

	it('notifications reach the server of their POST, alone and in a batch', async () => {
		const heard: string[] = [];
		const rig = await open({
			createServer: () => {
				const server = new Server({ name: 'n', version: '1' }, { capabilities: {} });
				server.oninitialized = () => heard.push('initialized');
				server.fallbackNotificationHandler = async ({ method }) => void heard.push(method);
				return server;
			},
		});
		const notification = (method: string) => ({ jsonrpc: '2.0', method });
		expect((await rig.post(notification('notifications/initialized'))).status).toBe(202);
		await eventually(() => heard.splice(0)).toEqual(['initialized']);
		const own = [notification('notifications/own'), notification('notifications/other')];
		expect((await rig.post(own)).status).toBe(202);
		await eventually(() => heard.splice(0)).toEqual(['notifications/own', 'notifications/other']);
		const answer = await rig.post([{ jsonrpc: '2.0', id: 1, method: 'ping' }, ...own]);
		expect(await answer.json()).toEqual([{ jsonrpc: '2.0', id: 1, result: {} }]);
		await eventually(() => heard.splice(0)).toEqual(['notifications/own', 'notifications/other']);
		await eventually(() => rig.transport.stats()).toEqual(nothing);
	});

	it('bad requests get what they get with sessions', async () => {
		const rig = await open();
		const statuses = [
			await rig.post('{'),
			await rig.post({ jsonrpc: '2.0', id: 1 }),
			await rig.post(call('echo'), { 'mcp-protocol-version': '1999-01-01' }),
			await rig.post(call('echo'), { accept: 'application/json' }),
			await rig.post(call('echo'), { 'content-type': 'text/plain' }),
			await rig.post([call('echo')], { 'mcp-protocol-version': '2025-11-25' }),
			await rig.post([call('echo', 1), call('echo', 1)]),
		].map(({ status }) => status);
		expect(statuses).toEqual([400, 400, 400, 406, 415, 400, 400]);
		expect((await (await rig.post({ ...initializeMessage(), params: {} })).json()).error.code).toBe(-32602);
		await eventually(() => rig.transport.stats()).toEqual(nothing);
	});

	it('a batch of 2025-03-26 is served by one server', async () => {
		const rig = await open();
		const answer = await rig.post([
			call('echo', 1),
			{ jsonrpc: '2.0', method: 'notifications/initialized' },
			call('echo', 2),
		]);
		const answers = answer.isStream ? answer.messages.map(({ message }) => message) : await answer.json();
		expect(answers.map(({ id }: { id: number }) => id).sort()).toEqual([1, 2]);
		expect(rig.made).toHaveLength(1);
		await eventually(() => rig.transport.stats()).toEqual(nothing);
	});

	it('a client that goes away leaves nothing behind', async () => {
		const { arrived, go, tool } = gatedTool();
		const rig = await open({ tools: { hold: tool }, responseMode: 'sse' });
		const pending = await rig.post(call('hold'));
		await arrived.wait();
		pending.drop();
		go.happen('to nobody');
		await eventually(() => rig.transport.stats()).toEqual(nothing);
	});

	it('a factory that throws is answered with 500, every time', async () => {
		const rig = await open({
			createServer: () => {
				throw new Error('no server today');
			},
		});
		for (const message of [call('echo'), initializeMessage()]) expect((await rig.post(message)).status).toBe(500);
		expect(rig.errors.map(({ message }) => message)).toEqual(
			Array(2).fill('The function that makes servers threw an error, so the client got 500: no server today'),
		);
	});
});

describe.each(doors)('sessions implicit, through $name', (door) => {
	const open = (options: RigOptions = {}) =>
		openNodes(door, { sessions: 'implicit', ...options, tools: { ...own, ...options.tools } });

	it('a first request that is not initialize opens a session, whose id the response tells; it works on any node', async () => {
		const { a, b, info } = await open({
			tools: { count: async ({ session }) => String(await session.state.increment('count')) },
		});
		const first = await a.post(call('count'));
		const id = first.headers.get('mcp-session-id') ?? '';
		expect([first.status, id]).toEqual([200, expect.stringMatching(/^[\x21-\x7e]{20,}$/)]);
		expect(textOf(await first.answer())).toBe('1');
		const headers = { 'mcp-session-id': id };
		expect(textOf(await (await b.post(call('count'), headers)).answer())).toBe('2');
		expect(await info.read(id)).toMatchObject({
			protocolVersion: '2025-03-26',
			initializeParams: { clientInfo: { name: 'unknown' } },
		});
		expect((await b.send({ method: 'DELETE', headers })).status).toBe(200);
		expect((await a.post(call('count'), headers)).status).toBe(404);
	});

	it('takes the revision that the request names, and refuses one that does not exist', async () => {
		const { a, info } = await open();
		const answer = await a.post(call('echo'), { 'mcp-protocol-version': '2025-11-25' });
		expect(await info.read(answer.headers.get('mcp-session-id') ?? '')).toMatchObject({
			protocolVersion: '2025-11-25',
		});
		expect((await a.post(call('echo'), { 'mcp-protocol-version': '1999-01-01' })).status).toBe(400);
	});

	it('is the sender’s, counted and bounded like any other', async () => {
		const authenticate: RigOptions['authenticate'] = ({ header }) => ({
			token: header('authorization') ?? '',
			clientId: 'app',
			scopes: [],
			extra: { sub: header('authorization') ?? '' },
		});
		const { a } = await open({ authenticate, maxSessionsPerPrincipal: 1, tooManySessions: 'refuse' });
		const first = await a.post(call('echo'), { authorization: 'alice' });
		const id = first.headers.get('mcp-session-id') ?? '';
		expect((await a.post(call('echo'), { authorization: 'bob', 'mcp-session-id': id })).status).toBe(403);
		expect((await a.post(call('echo'), { authorization: 'alice' })).status).toBe(429);
		expect((await a.post(call('echo'), { authorization: 'alice', 'mcp-session-id': id })).status).toBe(200);
	});

	it('opens none for an unknown id, a notification, a response, a batch, GET or DELETE', async () => {
		const { a } = await open();
		const note = { jsonrpc: '2.0', method: 'notifications/initialized' };
		const statuses = [
			await a.post(call('echo'), { 'mcp-session-id': 'guess-guess' }),
			await a.post(note),
			await a.post({ jsonrpc: '2.0', id: 1, result: {} }),
			await a.post([call('echo')]),
			await a.send({ method: 'GET', headers: { accept: 'text/event-stream' } }),
			await a.send({ method: 'DELETE' }),
		].map(({ status }) => status);
		expect(statuses).toEqual([404, 400, 400, 400, 400, 400]);
		expect(a.transport.stats()).toEqual(nothing);
	});

	it('initialize still opens a session as always', async () => {
		const { a, b } = await open();
		const client = await a.session();
		expect(await client.ask('echo', { text: 'hi' })).toBe('hi');
		expect(b.made).toEqual([]);
	});
});

describe.each(['off', 'implicit'] as const)('the official client, with sessions %s', (sessions) => {
	it('connects, lists and calls', async () => {
		const [handle] = doors;
		if (handle === undefined) throw new Error('There is no such door.');
		const rig = await Rig.open(handle, { sessions, tools: own });
		const transport = new StreamableHTTPClientTransport(new URL(`${rig.door.origin}/mcp`));
		const client = new Client({ name: 'official', version: '1' });
		const errors: Error[] = [];
		client.onerror = (error) => errors.push(error);
		await client.connect(transport);
		onTestFinished(() => client.close());
		expect((await client.listTools()).tools.map(({ name }) => name)).toContain('sees');
		expect((await client.callTool({ name: 'echo', arguments: { text: 'hi' } })).content).toEqual([
			{ type: 'text', text: 'hi' },
		]);
		expect(transport.sessionId === undefined).toBe(sessions === 'off');
		expect(errors).toEqual([]);
	});
});
