import { InMemoryInfoSessionManager, InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { describe, expect, it } from 'vitest';
import { doors } from '../support/doors.ts';
import { Rig } from '../support/rig.ts';
import { v1McpServer } from '../support/servers.ts';
import { bare, flavours, lazily, variantOf } from '../support/thenables.ts';

const refusal = { status: 401, message: 'who are you?' } as const;
const authInfo = { token: 't', clientId: 'app', scopes: [] };

describe.each(doors)('through $name', (door) => {
	describe.each(flavours)('$name', ({ later }) => {
		it('refuses a request, when that is what it resolves to', async () => {
			const rig = await Rig.open(door, { authenticate: () => later(() => refusal) });
			expect((await rig.initialize()).status).toBe(401);
			expect([rig.made, rig.errors]).toEqual([[], []]);
		});

		it('lets a request in as whom it resolves to', async () => {
			const extra = { iss: 'https://issuer', sub: 'ada' };
			const rig = await Rig.open(door, { authenticate: () => later(() => ({ ...authInfo, extra })) });
			await rig.session();
			expect(rig.made[0]?.principal).toBe('https://issuer ada');
		});

		it('brings a server', async () => {
			const tools = { echo: () => 'heard' };
			const rig = await Rig.open(door, {
				createServer: (session) => later(() => v1McpServer.make({ tools }, session)) as never,
			});
			expect(await (await rig.session()).ask('echo')).toBe('heard');
		});

		it('of every manager serves sessions, and lets no session in that nobody made', async () => {
			const streams = variantOf(new InMemoryStreamSessionManager(), (_method, work) => later(work));
			const info = variantOf(new InMemoryInfoSessionManager(), (_method, work) => later(work));
			const rig = await Rig.open(door, { sessionManager: { streams, info } });
			const client = await rig.session();
			expect(await client.ask('echo', { text: 'x' })).toBe('x');
			await client.call('log');
			const made = await rig.post(
				{ jsonrpc: '2.0', id: 1, method: 'ping' },
				{ ...client.headers, 'mcp-session-id': 'made-up-by-me' },
			);
			expect(made.status).toBe(404);
			expect((await client.delete()).status).toBe(200);
			expect((await client.request('ping')).status).toBe(404);
			expect(rig.errors).toEqual([]);
		});
	});

	it('a query is started once', async () => {
		let started = 0;
		const rig = await Rig.open(door, {
			authenticate: () =>
				lazily(
					() => undefined,
					() => started++,
				),
		});
		await rig.initialize();
		expect(started).toBe(1);
		const info = variantOf(new InMemoryInfoSessionManager(), (method, work) =>
			lazily(work, () => method === 'create' && started++),
		);
		await (await Rig.open(door, { sessionManager: { info } })).initialize();
		expect(started).toBe(2);
	});

	it.each([
		[
			'throws',
			() => {
				throw new Error('out of order');
			},
		],
		[
			'throws in then',
			() =>
				bare(() => {
					throw new Error('out of order');
				}),
		],
	])('an authentication that %s lets nobody in', async (_how, authenticate) => {
		const rig = await Rig.open(door, { authenticate: authenticate as never });
		expect((await rig.initialize()).status).toBe(500);
		expect([rig.made, rig.errors.map(({ message }) => message)]).toEqual([[], ['out of order']]);
	});

	it.each<[string, unknown]>([
		['null', null],
		['true', true],
		['false', false],
		['a name', 'ada'],
		['a number', 0],
		['an empty object', {}],
		['a user', { sub: 'ada' }],
		['a refusal with another status', { status: 404, message: 'no' }],
		['a refusal with a status as text', { status: '401', message: 'no' }],
		['a refusal without a message', { status: 401 }],
		['an AuthInfo with a status', { ...authInfo, status: 200 }],
		['an AuthInfo without a token', { clientId: 'app', scopes: [] }],
		['an AuthInfo whose scopes are text', { ...authInfo, scopes: 'read write' }],
		['an AuthInfo that expires at no time', { ...authInfo, expiresAt: Number.NaN }],
		['a subject that is a number', { ...authInfo, extra: { sub: 7 } }],
		['a subject that is a list', { ...authInfo, extra: { sub: ['ada'] } }],
		['a subject that is null', { ...authInfo, extra: { sub: null } }],
		['an empty subject', { ...authInfo, extra: { sub: '' } }],
		['an issuer that is an object', { ...authInfo, extra: { iss: {}, sub: 'ada' } }],
	])(
		'an authentication that answers %s lets nobody in, now or later, and is told what to return',
		async (_what, answer) => {
			for (const authenticate of [() => answer, async () => answer, () => lazily(() => answer)]) {
				const rig = await Rig.open(door, { authenticate: authenticate as never });
				expect((await rig.initialize()).status).toBe(500);
				expect(rig.made).toEqual([]);
				expect(rig.errors).toEqual([expect.any(TypeError)]);
				expect(rig.errors[0]?.message).toMatch(
					/^(authenticate must return an AuthInfo|AuthInfo\.extra\.(sub|iss) must be)/,
				);
			}
		},
	);

	it('a subject that is no string lets nobody in that was authenticated in front of the transport', async () => {
		const rig = await Rig.open(door, { authInfo: { ...authInfo, extra: { sub: 7 } } });
		expect((await rig.initialize()).status).toBe(500);
		expect(rig.made).toEqual([]);
	});

	it.each<[string, unknown]>([
		['nothing', undefined],
		['null', null],
		['an object without connect', { close() {} }],
		['a class', class Server {}],
		['text', 'server'],
	])('a factory that makes %s gives 500, and is told what to make', async (_what, server) => {
		for (const createServer of [() => server, () => lazily(() => server)]) {
			const rig = await Rig.open(door, { createServer: createServer as never });
			expect((await rig.initialize()).status).toBe(500);
			expect(rig.errors.map(({ message }) => message)).toEqual([
				expect.stringMatching(/^The function that makes servers must return an McpServer or Server of an official SDK/),
			]);
		}
	});

	it.each<[string, unknown]>([
		['a promise', Promise.resolve('a-fine-session-id')],
		['a query', lazily(() => 'a-fine-session-id')],
		['null', null],
	])('session ids that are %s give 500', async (_what, id) => {
		const rig = await Rig.open(door, { getSessionId: (() => id) as never });
		expect((await rig.initialize()).status).toBe(500);
		expect(rig.errors[0]?.message).toMatch(/^getSessionId must return a string/);
	});

	const record = {
		id: 'somebody-else',
		protocolVersion: '2025-11-25',
		initializeParams: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } },
		serverCapabilities: {},
		createdAt: 0,
		lastUsedAt: 0,
	};

	it.each<[string, unknown, number]>([
		['another session', record, 500],
		['a list', [record], 500],
		['an empty list', [], 500],
		['an empty object', {}, 500],
		['true', true, 500],
		['false', false, 500],
		['text', '{}', 500],
		['a record without parameters', { ...record, id: 'made-up-by-me', initializeParams: undefined }, 500],
		['null', null, 404],
	])('a store that answers %s does not let a made-up session in', async (_what, answer, status) => {
		for (const later of [(work: () => unknown) => work(), lazily]) {
			const info = variantOf(new InMemoryInfoSessionManager(), (method, work) =>
				method === 'read' ? later(() => answer) : work(),
			);
			const rig = await Rig.open(door, { sessionManager: { info } });
			const headers = { 'mcp-session-id': 'made-up-by-me', 'mcp-protocol-version': '2025-11-25' };
			expect((await rig.post({ jsonrpc: '2.0', id: 1, method: 'ping' }, headers)).status).toBe(status);
			expect(rig.made).toEqual([]);
			const message =
				'InMemoryInfoSessionManager.read must return the record of the session that was asked for, or `undefined`, ' +
				'or a promise of it.';
			expect(rig.errors.map((error) => error.message)).toEqual(status === 500 ? [message] : []);
		}
	});

	it.each([1, 'OK', {}, null, undefined])('a store whose create answers %j makes no session', async (answer) => {
		const info = variantOf(new InMemoryInfoSessionManager(), (method, work) =>
			method === 'create' ? lazily(() => answer) : work(),
		);
		const rig = await Rig.open(door, { sessionManager: { info } });
		expect((await rig.initialize()).status).toBe(500);
		expect(rig.errors[0]?.message).toMatch(/create must return `true` or `false`/);
		expect(rig.transport.stats()).toMatchObject({ sessions: 0, liveServers: 0 });
	});

	it.each([undefined, 'abc', new Set(['a'])])('a store whose subscribers are %j notifies nobody', async (answer) => {
		const info = variantOf(new InMemoryInfoSessionManager(), (method, work) =>
			method === 'getSubscriptions' ? answer : work(),
		);
		const rig = await Rig.open(door, { sessionManager: { info } });
		await expect(rig.transport.notify.resourceUpdated('a://1')).rejects.toThrow(
			/getSubscriptions must return an array of strings/,
		);
	});
});
