import { McpServer } from '@modelcontextprotocol/server';
import { describe, expect, it } from 'vitest';
import { doors } from '../../../../test/support/doors.ts';
import { eventually } from '../../../../test/support/eventually.ts';
import { initializeMessage, LATEST, Rig, type RigOptions, textOf } from '../../../../test/support/rig.ts';
import { type Tool, v1McpServer, v2McpServer } from '../../../../test/support/servers.ts';
import { ask, callTool, envelope, STATELESS, statelessMessage } from '../../../../test/support/stateless-request.ts';

const era: Tool = ({ session }) => (session === undefined ? 'no session' : 'a session');
const probe = statelessMessage('server/discover', {}, {}, 'server-discover-probe-1');

describe.each(doors)('two eras at one address, through $name', (door) => {
	const open = (options: RigOptions = {}) =>
		Rig.open(door, { sdk: v2McpServer, stateless: {}, ...options, tools: { era, ...options.tools } });

	it('each request says which era it belongs to: sessions go on beside requests without one', async () => {
		const rig = await open();
		const client = await rig.session();
		const stream = await client.get();
		for (let turn = 0; turn < 3; turn++) {
			expect(await client.ask('era')).toBe('a session');
			const answer = await callTool(rig, 'era');
			expect([answer.status, answer.headers.get('mcp-session-id')]).toEqual([200, null]);
			expect(textOf(await answer.json())).toBe('no session');
		}
		expect(rig.made.map((session) => session?.id)).toEqual([client.id, undefined, undefined, undefined]);
		expect(stream.over).toBe(false);
		expect(rig.errors).toEqual([]);
	});

	it('server/discover names the revisions without sessions, the capabilities and the server', async () => {
		const rig = await open();
		const answer = await ask(rig, probe);
		expect(answer.status).toBe(200);
		expect(await answer.json()).toMatchObject({
			id: 'server-discover-probe-1',
			result: {
				resultType: 'complete',
				supportedVersions: [STATELESS],
				capabilities: { tools: {} },
				_meta: { 'io.modelcontextprotocol/serverInfo': { name: 'test-server' } },
			},
		});
	});

	it.each([
		['that lives', async (rig: Rig) => (await rig.session()).id],
		['that nobody knows', async () => 'A'.repeat(32)],
		['that cannot be one', async () => 'no id'],
	])('a session id %s means nothing on a request without a session', async (_which, idOf) => {
		const rig = await open();
		const id = await idOf(rig);
		const answer = await ask(rig, statelessMessage('tools/call', { name: 'era', arguments: {} }), {
			'mcp-session-id': id,
			'last-event-id': 'whatever',
		});
		expect([answer.status, answer.headers.get('mcp-session-id')]).toEqual([200, null]);
		expect(textOf(await answer.json())).toBe('no session');
	});

	it.each(['that lives', 'that nobody knows', 'that cannot be one'])(
		'the body alone decides: without the headers of its era, a request with a session id %s is refused as one of it',
		async (which) => {
			const rig = await open();
			const ids = {
				'that lives': (await rig.session()).id,
				'that nobody knows': 'A'.repeat(32),
				'that cannot be one': ' ',
			};
			const id = ids[which as keyof typeof ids];
			const answer = await rig.post(statelessMessage('tools/call', { name: 'era' }), { 'mcp-session-id': id });
			expect(answer.status).toBe(400);
			expect((await answer.json()).error?.code).toBe(-32020);
		},
	);

	it('a session that cannot be used is refused as ever where the body does not claim to need none', async () => {
		const rig = await open();
		const owner = await rig.session();
		const answer = await rig.post({ jsonrpc: '2.0', id: 1, method: 'ping' }, { 'mcp-session-id': 'A'.repeat(32) });
		expect([answer.status, (await answer.json()).error?.code]).toEqual([404, -32001]);
		const foreign = await owner.post(
			{ jsonrpc: '2.0', id: 1, method: 'ping' },
			{ 'mcp-protocol-version': '1999-01-01' },
		);
		expect([foreign.status, (await foreign.json()).error?.code]).toEqual([400, -32000]);
		const deleted = await rig.send({ method: 'DELETE', headers: { 'mcp-session-id': 'A'.repeat(32) } });
		expect(deleted.status).toBe(404);
	});

	it.each([
		['a version that is no text', envelope({ version: 7 }), 400, -32602],
		['no client capabilities', { 'io.modelcontextprotocol/protocolVersion': STATELESS }, 400, -32602],
		['a version that nobody serves', envelope({ version: '2030-01-01' }), 400, -32022],
		['a version with sessions', envelope({ version: LATEST }), 400, -32022],
	])('a claim with %s never reaches the session that the request names', async (_what, meta, status, code) => {
		const rig = await open();
		const client = await rig.session();
		const version: unknown = meta['io.modelcontextprotocol/protocolVersion'];
		const message = {
			jsonrpc: '2.0',
			id: 'odd',
			method: 'tools/call',
			params: { name: 'era', arguments: {}, _meta: meta },
		};
		const answer = await ask(rig, message, {
			'mcp-session-id': client.id,
			'mcp-protocol-version': typeof version === 'string' ? version : STATELESS,
		});
		const body = await answer.json();
		expect([answer.status, body.error?.code, body.id]).toEqual([status, code, 'odd']);
		if (code === -32022) expect(body.error?.data).toMatchObject({ supported: [STATELESS], requested: version });
	});

	it('initialize opens a session, unless its body or headers name a revision that has none', async () => {
		const rig = await open();
		const claimed = { ...initializeMessage(), params: { ...initializeMessage().params, _meta: envelope() } };
		const own = await ask(rig, claimed);
		expect([own.status, (await own.json()).error?.code]).toEqual([404, -32601]);
		const mixed = await rig.post(initializeMessage(), { 'mcp-protocol-version': STATELESS });
		expect([mixed.status, (await mixed.json()).error?.code]).toEqual([400, -32020]);
		const old = {
			...initializeMessage(),
			params: { ...initializeMessage().params, _meta: envelope({ version: LATEST }) },
		};
		const opened = await rig.post(old);
		expect([opened.status, opened.headers.get('mcp-session-id')]).toEqual([200, expect.any(String)]);
	});

	it('a batch with a request of this era is refused; one without goes where it went', async () => {
		const rig = await open();
		const client = await rig.session({ protocolVersion: '2025-03-26' });
		const mixed = await client.post([{ jsonrpc: '2.0', id: 1, method: 'ping' }, statelessMessage('tools/list')]);
		expect([mixed.status, (await mixed.json()).error?.code]).toEqual([400, -32600]);
		const plain = await client.post([{ jsonrpc: '2.0', id: 1, method: 'ping' }]);
		expect(plain.status).toBe(200);
	});

	it('GET and DELETE stay those of sessions', async () => {
		const rig = await open();
		for (const method of ['GET', 'DELETE']) {
			const headers = { accept: 'text/event-stream', 'mcp-protocol-version': STATELESS };
			expect((await rig.send({ method, headers })).status).toBe(400);
		}
		const off = await open({ sessions: 'off' });
		const answer = await off.send({ method: 'GET', headers: { accept: 'text/event-stream' } });
		expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST, OPTIONS']);
	});

	it.each(['required', 'implicit', 'off'] as const)(
		'without the option, a probe is refused so that every client falls back (sessions %s)',
		async (sessions) => {
			const rig = await Rig.open(door, { sdk: v2McpServer, sessions });
			const answer = await ask(rig, probe);
			expect(answer.status).toBe(400);
			expect(answer.headers.get('content-type')).toBe('application/json');
			const { id, error } = await answer.json();
			expect([id, error?.code]).toEqual([probe.id, -32000]);
			expect(rig.transport.stats()).toMatchObject({ sessions: 0, liveServers: 0 });
		},
	);

	it('a page may send the headers of this era, those of tools included', async () => {
		const rig = await open();
		const answer = await rig.send({
			method: 'OPTIONS',
			headers: {
				origin: 'http://localhost:1',
				'access-control-request-headers':
					'content-type, mcp-method, mcp-name, mcp-param-region, x-other, mcp-param-a b',
			},
		});
		const allowed = (answer.headers.get('access-control-allow-headers') ?? '').toLowerCase().split(', ');
		expect(allowed).toEqual(expect.arrayContaining(['mcp-method', 'mcp-name', 'mcp-param-region', 'x-other']));
		expect(allowed).not.toContain('mcp-param-a b');
	});

	it('host and origin are checked, and the sender is authenticated, before the body is looked at', async () => {
		const rig = await open({
			authenticate: ({ header }) =>
				header('authorization') === undefined
					? { status: 401, message: 'no token' }
					: { token: 'a', clientId: 'c', scopes: [], extra: { sub: 'ann' } },
			tools: { who: ({ authInfo }) => authInfo.extra.sub },
		});
		const forms = [{ host: 'evil.example' }, { origin: 'http://evil.example', authorization: 'x' }, {}];
		const statuses = await Promise.all(forms.map(async (headers) => (await ask(rig, probe, headers)).status));
		expect(statuses).toEqual([403, 403, 401]);
		const answer = await ask(rig, statelessMessage('tools/call', { name: 'who' }), { authorization: 'x' });
		expect(textOf(await answer.json())).toBe('ann');
	});

	it('a server of SDK v1, or none, is an error of the server, which is reported', async () => {
		const rig = await open({ sdk: v1McpServer });
		const answer = await ask(rig, probe);
		expect([answer.status, (await answer.json()).error?.code]).toEqual([500, -32603]);
		expect(rig.errors.map(({ message }) => message)).toEqual([expect.stringContaining('SDK v2')]);
	});

	it('a function that fails to make a server is reported once, and the client gets 500 without its text', async () => {
		const rig = await open({
			createServer(session) {
				if (session === undefined) throw new Error('secret');
				return new McpServer({ name: 'x', version: '1' });
			},
		});
		const answer = await ask(rig, probe);
		expect(answer.status).toBe(500);
		expect(await answer.text()).not.toContain('secret');
		expect(rig.errors.map(({ cause }) => cause)).toEqual([new Error('secret')]);
		await eventually(() => rig.transport.stats()).toMatchObject({ requestsInFlight: 0, bodyBytes: 0 });
	});
});
