import { Server as V1Server } from '@modelcontextprotocol/sdk/server/index.js';
import { InitializeRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { describe, expect, it } from 'vitest';
import { doors } from '../../../test/support/doors.ts';
import { initializeMessage, LATEST, Rig } from '../../../test/support/rig.ts';
import { sdks, v1McpServer } from '../../../test/support/servers.ts';

describe.each(doors)('initialize, through $name', (door) => {
	it.each(sdks)('is answered with exactly what the server says: $name', async (sdk) => {
		const rig = await Rig.open(door, { sdk, capabilities: { tools: {}, logging: {} } });
		const answer = await rig.initialize();
		expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/json']);
		const { result, ...envelope } = await answer.json();
		expect(envelope).toEqual({ jsonrpc: '2.0', id: 'init' });
		expect(result).toEqual({
			protocolVersion: LATEST,
			capabilities: { tools: expect.anything(), logging: {} },
			serverInfo: { name: 'test-server', version: '1.2.3' },
		});
	});

	it.each(['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'])('negotiates %s', async (protocolVersion) => {
		const rig = await Rig.open(door);
		const { result } = await (await rig.initialize({ protocolVersion })).json();
		expect(result.protocolVersion).toBe(protocolVersion);
	});

	it('leaves it to the server what to offer a client of an unknown revision', async () => {
		const rig = await Rig.open(door);
		const client = await rig.session({ protocolVersion: '2099-01-01' });
		expect(client.protocolVersion).toBe(LATEST);
		expect(await client.ask('echo', { text: 'hi' })).toBe('hi');
	});

	it('shows the factory who the client is', async () => {
		const rig = await Rig.open(door);
		const clientInfo = { name: 'c', version: '9', title: 'C' };
		const capabilities = { roots: { listChanged: true }, experimental: { x: {} } };
		const client = await rig.session({ clientInfo, capabilities, protocolVersion: '2025-06-18' });
		expect(rig.made).toHaveLength(1);
		expect(rig.made[0]).toMatchObject({
			id: client.id,
			clientInfo,
			clientCapabilities: capabilities,
			protocolVersion: '2025-06-18',
		});
		expect(rig.made[0]?.principal).toBeUndefined();
	});

	it('keeps 64 KiB of what a client says, and refuses more', async () => {
		const rig = await Rig.open(door);
		const saying = (length: number) => ({ clientInfo: { name: 'c', version: '1', description: 'x'.repeat(length) } });
		const { clientInfo, ...envelope } = initializeMessage(saying(0)).params;
		const room = 64 * 1024 - JSON.stringify({ ...envelope, clientInfo }).length;
		const fits = await rig.session(saying(room));
		expect(await fits.ask('echo', { text: 'hi' })).toBe('hi');
		const answer = await rig.initialize(saying(room + 1));
		expect([answer.status, answer.headers.get('mcp-session-id')]).toEqual([200, null]);
		expect((await answer.json()).error).toMatchObject({
			code: -32602,
			message: expect.stringContaining('65537 bytes'),
		});
		expect(rig.made).toHaveLength(1);
	});

	it('keeps a thousand values of what a client says, and refuses more', async () => {
		const rig = await Rig.open(door);
		const saying = (values: number) => ({ capabilities: { experimental: { list: Array(values).fill({}) } } });
		// Beside the list: the params, two objects, the list itself, three texts and the revision.
		const fits = await rig.session(saying(1_000 - 8));
		expect(await fits.ask('echo', { text: 'hi' })).toBe('hi');
		const answer = await rig.initialize(saying(1_000 - 7));
		expect((await answer.json()).error).toMatchObject({
			code: -32602,
			message: expect.stringContaining('1000 values'),
		});
		expect(rig.made).toHaveLength(1);
	});

	it.each([
		['no params', undefined],
		['no protocolVersion', { capabilities: {}, clientInfo: { name: 'c', version: '1' } }],
		[
			'a protocolVersion that is no text',
			{ protocolVersion: 1, capabilities: {}, clientInfo: { name: 'c', version: '1' } },
		],
		[
			'an endless protocolVersion',
			{ protocolVersion: 'x'.repeat(100), capabilities: {}, clientInfo: { name: 'c', version: '1' } },
		],
		['no capabilities', { protocolVersion: LATEST, clientInfo: { name: 'c', version: '1' } }],
		[
			'capabilities that are a list',
			{ protocolVersion: LATEST, capabilities: [], clientInfo: { name: 'c', version: '1' } },
		],
		['no clientInfo', { protocolVersion: LATEST, capabilities: {} }],
		['no name', { protocolVersion: LATEST, capabilities: {}, clientInfo: { version: '1' } }],
		['no version', { protocolVersion: LATEST, capabilities: {}, clientInfo: { name: 'c' } }],
	])('with %s is refused, and opens no session', async (_, params) => {
		const rig = await Rig.open(door);
		const answer = await rig.post({ jsonrpc: '2.0', id: 5, method: 'initialize', ...(params && { params }) });
		expect(await answer.json()).toMatchObject({ jsonrpc: '2.0', id: 5, error: { code: -32602 } });
		expectNoSession(rig, answer.headers);
	});

	it('that the server refuses opens no session, and the client hears the error of the server', async () => {
		const rig = await Rig.open(door, {
			createServer: () => {
				const server = new V1Server({ name: 'x', version: '1' });
				server.setRequestHandler(InitializeRequestSchema, () => {
					throw new Error('not today');
				});
				return server;
			},
		});
		const answer = await rig.initialize();
		expect(await answer.json()).toMatchObject({ id: 'init', error: { message: 'not today' } });
		expectNoSession(rig, answer.headers);
	});

	it('is answered with 500 when the factory fails; nothing of its error gets out, and the next one works', async () => {
		let fail = true;
		const rig = await Rig.open(door, {
			createServer: (session) => {
				if (fail) throw new Error('secret of the house');
				return v1McpServer.make({ tools: {} }, session);
			},
		});
		const answer = await rig.initialize();
		expect(answer.status).toBe(500);
		expect(await answer.json()).toEqual({
			jsonrpc: '2.0',
			id: 'init',
			error: { code: -32603, message: 'Internal error' },
		});
		expectNoSession(rig, answer.headers);
		expect(rig.errors.map(({ message }) => message)).toEqual([expect.stringContaining('secret of the house')]);
		fail = false;
		expect((await rig.initialize()).headers.get('mcp-session-id')).not.toBeNull();
	});

	it('is answered with 500 when the factory hands out a server that is in use', async () => {
		const shared = v1McpServer.make({ tools: {} }, undefined as never);
		const rig = await Rig.open(door, { createServer: () => shared });
		const first = await rig.session();
		expect((await rig.initialize()).status).toBe(500);
		expect((await first.post({ jsonrpc: '2.0', id: 1, method: 'ping' })).status).toBe(200);
	});

	it('in a session is refused with 400, and the session goes on', async () => {
		const rig = await Rig.open(door);
		const client = await rig.session();
		const answer = await client.post(initializeMessage());
		expect(answer.status).toBe(400);
		expect(await answer.json()).toMatchObject({ id: 'init', error: { code: -32600 } });
		expect(await client.ask('echo', { text: 'on' })).toBe('on');
		expect(rig.transport.stats().sessions).toBe(1);
	});

	it('with the id of an unknown session is refused with 404', async () => {
		const rig = await Rig.open(door);
		for (const id of ['unknown', '', 'with space']) {
			const answer = await rig.post(initializeMessage(), { 'mcp-session-id': id });
			expect(answer.status).toBe(404);
			expectNoSession(rig, answer.headers);
		}
	});

	it('as a notification is none: it opens no session', async () => {
		const rig = await Rig.open(door);
		const { id, ...notification } = initializeMessage();
		const answer = await rig.post(notification);
		expect(answer.status).toBe(400);
		expectNoSession(rig, answer.headers);
	});
});

function expectNoSession(rig: Rig, headers: Headers): void {
	expect(headers.get('mcp-session-id')).toBeNull();
	expect(rig.transport.stats()).toMatchObject({ sessions: 0, liveServers: 0 });
}
