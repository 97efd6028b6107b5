import { InMemoryInfoSessionManager, InMemoryStreamSessionManager } from '@holdfast/session-manager';
import type { SessionLimits, SessionRecord } from '@holdfast/session-manager/custom';
import { ManualClock } from '@holdfast/session-manager/testing';
import type { CallContext, HandleOptions, HttpTransport } from '@holdfast/transport-http';
import { McpServer } from '@modelcontextprotocol/server';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Loose } from '../../../../test/support/clients/wire-response.ts';
import { type Door, doors } from '../../../../test/support/doors.ts';
import { initializeMessage, Rig, type RigOptions } from '../../../../test/support/rig.ts';
import { callTool } from '../../../../test/support/stateless-request.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const inputSchema = z.object({ by: z.number().default(1), handle: z.string().optional() });

/** What the tools below do, of whichever era the call is. */
const actions = {
	add: async (transport: HttpTransport, context: CallContext, { by, handle: given }: z.infer<typeof inputSchema>) => {
		const { state, handle } = await transport.stateOf(context, given);
		return { value: await state.increment('n', by), handle };
	},
	list: async (transport: HttpTransport, context: CallContext) => ({ handles: await transport.handles.list(context) }),
	expiry: async (transport: HttpTransport, context: CallContext, { handle = '' }: z.infer<typeof inputSchema>) => ({
		expiresAt: (await transport.handles.open(context, handle)).expiresAt,
	}),
	drop: async (transport: HttpTransport, context: CallContext, { handle = '' }: z.infer<typeof inputSchema>) => ({
		dropped: await transport.handles.delete(context, handle),
	}),
};

/** Two nodes that share a store. The value of `Authorization` is the caller's subject. */
async function openNodes(
	door: Door,
	handles: HandleOptions = {},
	options: RigOptions = {},
	Info = InMemoryInfoSessionManager,
) {
	const clock = new ManualClock(1_000_000);
	const info = new Info({ clock, maxSessions: 5 });
	const sessionManager = { info, streams: new InMemoryStreamSessionManager({ clock }) };
	const open = async () => {
		const rig: Rig = await Rig.open(door, {
			clock,
			sessionManager,
			handles,
			stateless: {},
			createServer: () => {
				const server = new McpServer({ name: 'handles', version: '1' });
				for (const [name, act] of Object.entries(actions))
					server.registerTool(name, { inputSchema }, async (args, context) => {
						const structuredContent = await act(rig.transport, context, args);
						return { content: [], structuredContent };
					});
				return server;
			},
			authenticate: ({ header }) => {
				const sub = header('authorization');
				if (!sub) return undefined;
				return { token: `${sub} ${Math.random()}`, clientId: 'c', scopes: [], extra: { sub } };
			},
			...options,
		});
		return rig;
	};
	return { a: await open(), b: await open(), clock, info };
}

async function call(
	rig: Rig,
	name: string,
	args: Loose = {},
	authorization: string | undefined = 'ann',
): Promise<Loose> {
	class Named {
		post = (message: unknown, headers: Record<string, string | undefined>) =>
			rig.post(message, { ...headers, authorization: authorization || undefined });
	}
	const { result } = await (await callTool(new Named() as never, name, args)).json();
	return result.isError === true ? { refused: result.content[0].text } : result.structuredContent;
}

const refused = {
	refused: 'There is no such handle, or it has expired: call again without one, and use the new one from then on.',
};

describe.each(doors)('handles, through $name', (door) => {
	it('keep state for a client without a session, on every node', async () => {
		const { a, b } = await openNodes(door);
		const { handle, value } = await call(a, 'add');
		expect([value, typeof handle, handle.length]).toEqual([1, 'string', 32]);
		expect(await call(b, 'add', { handle, by: 2 })).toEqual({ value: 3, handle });
		expect(await call(a, 'add', { handle, by: 3 })).toEqual({ value: 6, handle });
		expect((await call(a, 'add'))['handle']).not.toBe(handle);
	});

	it('of strangers leave a quarter of the store to callers with a token', async () => {
		const { a, b } = await openNodes(door);
		for (const rig of [a, b, a, b]) expect(await call(rig, 'add', {}, '')).toMatchObject({ value: 1 });
		const full = 'The store already holds 4 records beside its sessions; raise maxSessions or end some.';
		expect(await call(b, 'add', {}, '')).toEqual({ refused: full });
		expect(await call(b, 'add')).toMatchObject({ value: 1 });
	});

	it('are not needed in a session: the same tool uses the state of the session', async () => {
		const { a, b, info } = await openNodes(door);
		const opened = await a.post(initializeMessage(), { authorization: 'ann' });
		const session = { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '', authorization: 'ann' };
		for (const [rig, value, args] of [
			[a, 1, {}],
			[b, 2, {}],
			[a, 3, { handle: 'ignored' }],
		] as const) {
			const message = { jsonrpc: '2.0', id: value, method: 'tools/call', params: { name: 'add', arguments: args } };
			const { result } = await (await rig.post(message, session)).answer();
			expect(result.structuredContent).toEqual({ value });
		}
		expect(info.stats()).toMatchObject({ sessions: 1, records: 0 });
	});

	it('lose no change that many calls make at once, on both nodes', async () => {
		const { a, b } = await openNodes(door);
		const { handle } = await call(a, 'add');
		const values = await Promise.all(Array.from({ length: 100 }, (_, n) => call(n % 2 ? a : b, 'add', { handle })));
		expect(values.map(({ value }) => value).sort((x, y) => x - y)).toEqual(
			Array.from({ length: 100 }, (_, n) => n + 2),
		);
	});

	it('are refused to everybody but their caller, as one that never was', async () => {
		const { a, b, info } = await openNodes(door);
		const opened = await a.post(initializeMessage(), { authorization: 'ann' });
		const { handle } = await call(a, 'add');
		expect(await call(b, 'add', { handle }, 'eve')).toEqual(refused);
		expect(await call(b, 'add', { handle }, '')).toEqual(refused);
		for (const made of [
			'',
			'x',
			'x'.repeat(32),
			`handle ${handle}`,
			opened.headers.get('mcp-session-id'),
			`${handle}\n`,
		])
			expect(await call(a, 'add', { handle: made })).toEqual(refused);
		expect(await call(b, 'drop', { handle }, 'eve')).toEqual({ dropped: false });
		expect(await call(b, 'add', { handle })).toEqual({ value: 2, handle });
		expect(info.stats().records).toBe(1);
	});

	it('of a caller without a token are everybody’s who knows them, without a token, for an hour', async () => {
		const { a, b, clock } = await openNodes(door);
		const { handle } = await call(a, 'add', {}, '');
		expect(await call(b, 'add', { handle })).toEqual(refused);
		clock.advance(59 * MINUTE);
		expect(await call(b, 'add', { handle }, '')).toEqual({ value: 2, handle });
		expect(await call(b, 'list', {}, '')).toEqual({ handles: [] });
		clock.advance(MINUTE);
		expect(await call(b, 'add', { handle }, '')).toEqual(refused);
	});

	it('live as long as they are used, and no longer than their longest life', async () => {
		const { a, b, clock } = await openNodes(door, { idleTtlMs: 10 * MINUTE, absoluteTtlMs: 25 * MINUTE });
		const { handle } = await call(a, 'add');
		expect(await call(a, 'expiry', { handle })).toEqual({ expiresAt: 1_000_000 + 10 * MINUTE });
		clock.advance(9 * MINUTE);
		expect(await call(b, 'expiry', { handle })).toEqual({ expiresAt: 1_000_000 + 19 * MINUTE });
		clock.advance(9 * MINUTE);
		expect(await call(a, 'add', { handle })).toEqual({ value: 2, handle });
		const { handle: unused } = await call(b, 'add');
		clock.advance(7 * MINUTE);
		expect(await call(a, 'add', { handle })).toEqual(refused);
		clock.advance(3 * MINUTE);
		expect(await call(a, 'add', { handle: unused })).toEqual(refused);
		expect(await call(a, 'list')).toEqual({ handles: [] });
	});

	it('live a day unused without options, and thirty days in all', async () => {
		const { a, b, clock } = await openNodes(door);
		const { handle } = await call(a, 'add');
		for (let day = 1; day < 30; day++) {
			clock.advance(DAY - 1);
			expect(await call(b, 'add', { handle, by: 0 })).toEqual({ value: 1, handle });
		}
		clock.advance(DAY + 30);
		expect(await call(a, 'add', { handle })).toEqual(refused);
	});

	it('are listed and removed by their caller, and have a limit for each', async () => {
		const { a, b } = await openNodes(door, { maxPerPrincipal: 2 });
		const one = (await call(a, 'add'))['handle'];
		const two = (await call(b, 'add'))['handle'];
		expect((await call(b, 'list'))['handles'].sort()).toEqual([one, two].sort());
		expect(await call(b, 'list', {}, 'eve')).toEqual({ handles: [] });
		expect((await call(a, 'add'))['refused']).toMatch(/at most 2 handles; end one of them first/);
		expect((await call(a, 'add', {}, 'eve'))['value']).toBe(1);
		expect(await call(b, 'drop', { handle: one })).toEqual({ dropped: true });
		expect(await call(a, 'add', { handle: one })).toEqual(refused);
		expect((await call(a, 'add'))['value']).toBe(1);
	});

	it('are exported and erased with their person, on every node', async () => {
		const { a, b } = await openNodes(door);
		const { handle } = await call(a, 'add', { by: 7 });
		await call(b, 'add', { handle });
		const { records } = await b.transport.principals.export(' ann');
		expect(records).toMatchObject([{ kind: 'handle', state: { n: { type: 'number', value: 8 } } }]);
		expect(JSON.stringify(records)).not.toContain(handle);
		await a.transport.principals.erase(' ann');
		for (const rig of [a, b]) expect(await call(rig, 'add', { handle })).toEqual(refused);
		expect((await b.transport.principals.export(' ann')).records).toEqual([]);
	});

	it('are kept by a manager that does not know kinds, and erased with their person', async () => {
		class Plain extends InMemoryInfoSessionManager {
			override create({ kind: _, ...record }: SessionRecord, limits?: SessionLimits) {
				return super.create(record, limits);
			}

			override sessionsOf(principal: string) {
				return super.sessionsOf(principal);
			}
		}
		const { a, b } = await openNodes(door, {}, {}, Plain);
		const { handle } = await call(a, 'add');
		expect(await call(b, 'add', { handle })).toEqual({ value: 2, handle });
		expect(await call(b, 'add', { handle }, 'eve')).toEqual(refused);
		expect(await call(a, 'list')).toEqual({ handles: [handle] });
		await b.transport.principals.erase(' ann');
		expect(await call(a, 'add', { handle })).toEqual(refused);
	});

	it('take no place of a session, and a store full of sessions takes them', async () => {
		const { a, info } = await openNodes(door);
		for (let n = 0; n < 5; n++) await a.post(initializeMessage(), { authorization: 'ann' });
		const { handle } = await call(a, 'add');
		await a.post(initializeMessage(), { authorization: 'bob' });
		expect(info.stats()).toMatchObject({ sessions: 5, records: 1 });
		expect(await call(a, 'add', { handle })).toEqual({ value: 2, handle });
	});

	it('serve clients of sessions too, where a server has none', async () => {
		const { a, b } = await openNodes(door, {}, { sessions: 'off' });
		const add = async (rig: Rig, args: Loose) => {
			const message = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'add', arguments: args } };
			const headers = { authorization: 'ann', 'mcp-protocol-version': '2025-11-25' };
			return (await (await rig.post(message, headers)).answer()).result.structuredContent;
		};
		const { handle } = await add(a, {});
		expect(await add(b, { handle })).toEqual({ value: 2, handle });
	});
});
