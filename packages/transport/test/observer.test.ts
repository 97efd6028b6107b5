import { AsyncLocalStorage } from 'node:async_hooks';
import { InMemoryInfoSessionManager } from '@holdfast/session-manager';
import { ManualClock } from '@holdfast/session-manager/testing';
import type { ObservedEvent, Observer } from '@holdfast/transport';
import { HttpTransport } from '@holdfast/transport-http';
import { describe, expect, it } from 'vitest';
import { doors } from '../../../test/support/doors.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { gatedTool } from '../../../test/support/gated-tool.ts';
import { at, openNodes } from '../../../test/support/nodes.ts';
import { Rig, type RigOptions, TestClient } from '../../../test/support/rig.ts';
import { type Tool, v1Server, v2McpServer } from '../../../test/support/servers.ts';
import { callTool } from '../../../test/support/stateless-request.ts';

type EventOf<T extends ObservedEvent['type']> = Extract<ObservedEvent, { readonly type: T }>;

/** Notes every event, and which node it happened on. */
class Notes implements Observer {
	readonly events: ObservedEvent[] = [];
	readonly nodes: string[] = [];

	event(event: ObservedEvent, nodeId: string): void {
		this.events.push(event);
		this.nodes.push(nodeId);
	}

	of<T extends ObservedEvent['type']>(...types: T[]): EventOf<T>[] {
		return this.events.filter((event) => (types as string[]).includes(event.type)) as EventOf<T>[];
	}

	/** The nodes of the events of a type. */
	nodesOf(type: ObservedEvent['type']): string[] {
		return this.nodes.filter((_, index) => this.events[index]?.type === type);
	}
}

const failing: Tool = async () => {
	throw new Error('It failed.');
};
const asking: Tool = async ({ here }) => JSON.stringify(await here.roots());
const say: Tool = async ({ outside }) => {
	await outside.log('info', {});
	return '';
};

describe.each(doors)('an observer, through $name', (door) => {
	const open = async (options: RigOptions = {}) => {
		const notes = new Notes();
		const rig = await Rig.open(door, {
			...options,
			observe: notes,
			tools: { failing, asking, say, ...options.tools },
		});
		return { notes, rig };
	};

	it('hears of each operation when it starts and when it ends, and how', async () => {
		const gate = gatedTool();
		const { notes, rig } = await open({ tools: { gate: gate.tool } });
		const client = await rig.session();
		const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
		await (await client.call('echo', { text: 'hi' }, { traceparent })).text();
		await (await client.call('failing')).text();
		await (await client.request('no/such')).text();
		const call = client.call('gate');
		await gate.arrived.wait();
		rig.clock.advance(150);
		await client.notify('notifications/cancelled', { requestId: client.lastRequestId });
		await (await call).text();
		const ended = notes.of('operation-ended');
		expect(ended.map(({ operation, error }) => [operation.method, operation.name, error])).toEqual([
			['initialize', undefined, undefined],
			['tools/call', 'echo', undefined],
			['tools/call', 'failing', 'tool_error'],
			['no/such', undefined, '-32601'],
			['tools/call', 'gate', 'cancelled'],
		]);
		expect(ended.at(-1)?.durationMs).toBe(150);
		expect(notes.of('operation-started').map(({ operation }) => operation)).toEqual(
			ended.map(({ operation }) => operation),
		);
		expect(ended[1]?.operation).toEqual({
			servedBy: 'server',
			method: 'tools/call',
			name: 'echo',
			requestId: 1,
			sessionId: client.id,
			protocolVersion: '2025-11-25',
			meta: { traceparent },
		});
		expect(new Set(notes.nodes)).toEqual(new Set([rig.transport.nodeId]));
		expect(JSON.stringify(ended)).not.toContain('hi"');
	});

	it('hears of questions to the client, and of calls that end with their server', async () => {
		const gate = gatedTool();
		const { notes, rig } = await open({ tools: { gate: gate.tool } });
		const client = await rig.session({ capabilities: { roots: {} } });
		const stream = await client.call('asking');
		const question = await stream.message(0);
		await client.reply(question.id, { roots: [] });
		await stream.ended();
		const asked = (event: { operation: { servedBy: string } }) => event.operation.servedBy === 'client';
		expect(notes.of('operation-started').filter(asked)).toMatchObject([{ operation: { method: 'roots/list' } }]);
		expect(notes.of('operation-ended').filter(asked)).toMatchObject([
			{ operation: { method: 'roots/list', requestId: question.id, sessionId: client.id } },
		]);
		const call = client.call('gate');
		await gate.arrived.wait();
		await rig.transport.close();
		await (await call).text();
		expect(notes.of('operation-ended').at(-1)).toMatchObject({ operation: { name: 'gate' }, error: 'closed' });
		expect(notes.of('operation-started')).toHaveLength(notes.of('operation-ended').length);
	});

	it('hears of requests without a session', async () => {
		const { notes, rig } = await open({ sdk: v2McpServer, stateless: {} });
		await (await callTool(rig, 'echo', { text: 'hello' })).json();
		expect(notes.of('operation-ended')).toMatchObject([
			{ operation: { method: 'tools/call', name: 'echo', protocolVersion: '2026-07-28' } },
		]);
		expect(notes.of('operation-ended')[0]?.operation).not.toHaveProperty('sessionId');
	});

	it('hears of sessions that begin and end, and why', async () => {
		const { notes, rig } = await open({ authInfo: ann, idleTtlMs: 60_000, unusedTtlMs: 0, suspendAfterMs: 0 });
		const clients = [await rig.session({ clientInfo: { name: 'c', version: '1' } }), await rig.session()];
		const [one, two] = clients.map(({ id }) => id);
		rig.clock.advance(1_000);
		await clients[0]?.delete();
		rig.clock.advance(120_000);
		await eventually(() => notes.of('session-ended').length).toBe(2);
		expect(notes.of('session-opened')[0]).toEqual({
			type: 'session-opened',
			sessionId: one,
			protocolVersion: '2025-11-25',
			transport: 'http',
			principal: expect.stringContaining('ann'),
			clientInfo: { name: 'c', version: '1' },
		});
		expect(notes.of('session-ended')).toMatchObject([
			{ sessionId: one, reason: 'the client ended it', protocolVersion: '2025-11-25', durationMs: 1_000 },
			{ sessionId: two, reason: 'expired', durationMs: expect.any(Number) },
		]);
	});

	it('hears of sessions that are suspended and restored', async () => {
		const { notes, rig } = await open();
		const client = await rig.session();
		expect(await rig.transport.suspend(client.id)).toBe(true);
		await client.ask('echo', { text: '' });
		await eventually(() => notes.of('session-suspended', 'session-restored')).toEqual([
			{ type: 'session-suspended', sessionId: client.id },
			{ type: 'session-restored', sessionId: client.id },
		]);
	});

	it('hears of streams: opened, taken over, resumed and ended', async () => {
		const { notes, rig } = await open();
		const client = await rig.session();
		const { id } = client;
		const first = await client.get();
		await first.event(0);
		const second = await client.get();
		await first.ended();
		await eventually(() => notes.of('takeover')).toEqual([{ type: 'takeover', sessionId: id }]);
		await client.ask('say');
		await second.message(0);
		second.drop();
		await eventually(() => notes.of('stream-ended').length).toBe(2);
		const third = await client.get(second.lastEventId);
		await eventually(() => notes.of('replay')).toEqual([{ type: 'replay', kind: 'session', sessionId: id }]);
		rig.clock.advance(5_000);
		third.drop();
		await eventually(() => notes.of('stream-ended').length).toBe(3);
		expect(notes.of('stream-opened')).toEqual(Array(3).fill({ type: 'stream-opened', kind: 'session', sessionId: id }));
		expect(notes.of('stream-ended').at(-1)).toEqual({
			type: 'stream-ended',
			kind: 'session',
			sessionId: id,
			durationMs: 5_000,
		});
		expect(notes.of('takeover')).toHaveLength(1);
		await (await client.call('asking')).message(0);
		expect(notes.of('stream-opened').at(-1)).toMatchObject({ kind: 'request', sessionId: id });
	});

	it('hears of the end of a stream with its session as no takeover', async () => {
		const { notes, rig } = await open();
		const client = await rig.session();
		const stream = await client.get();
		await client.delete();
		await stream.ended();
		await eventually(() => notes.of('stream-ended').length).toBe(1);
		expect(notes.of('takeover')).toEqual([]);
	});

	it('hears of gaps', async () => {
		const clock = new ManualClock(1_000_000);
		const info = new InMemoryInfoSessionManager({ clock });
		const shared = { clock, sessionManager: { info } };
		const before = await Rig.open(door, shared);
		const old = await before.session();
		const stream = await old.get();
		await stream.event(0);
		const { notes, rig } = await open(shared);
		await new TestClient(rig, old.id, old.protocolVersion, old.result).get(stream.lastEventId);
		await eventually(() => notes.of('gap')).toEqual([{ type: 'gap', sessionId: old.id }]);
		await eventually(() => notes.of('replay')).toHaveLength(1);
	});

	it('hears of calls of the store, with the code of an error', async () => {
		const { notes, rig } = await open();
		await rig.session();
		const calls = notes.of('store-call').map(({ manager, method }) => `${manager}.${method}`);
		expect(calls).toEqual(expect.arrayContaining(['info.create', 'streams.position', 'streams.send']));
		expect(notes.of('store-call').every(({ durationMs }) => durationMs >= 0)).toBe(true);
		const { clock } = rig;
		const info = new InMemoryInfoSessionManager({ clock, maxSessions: 1 });
		const full = await open({ clock, sessionManager: { info }, fullStore: 'refuse' });
		await full.rig.session();
		expect((await full.rig.initialize()).status).toBe(429);
		await eventually(() => full.notes.of('store-call').filter(({ error }) => error !== undefined)).toMatchObject([
			{ manager: 'info', method: 'create', error: 'limit' },
		]);
	});

	it('hears of refusals with a reason of few, and of nothing that was let through', async () => {
		const { notes, rig } = await open();
		const client = await rig.session();
		expect(notes.of('refusal')).toEqual([]);
		await rig.post({ jsonrpc: '2.0', id: 1, method: 'ping' });
		await rig.post({ jsonrpc: '2.0', id: 1, method: 'ping' }, { 'mcp-session-id': 'unknown-session' });
		await rig.post({}, { host: 'evil.example' });
		await client.post('{');
		expect(notes.of('refusal').map(({ reason, status, httpMethod }) => [reason, status, httpMethod])).toEqual([
			['missingSessionId', 400, 'POST'],
			['sessionNotFound', 404, 'POST'],
			['forbiddenHost', 403, 'POST'],
			['parseError', 400, 'POST'],
		]);
		const guarded = await open({ authenticate: () => ({ status: 401, message: 'Who are you?' }) });
		await guarded.rig.initialize();
		expect(guarded.notes.of('refusal')).toMatchObject([{ reason: 'unauthorized', status: 401 }]);
	});

	it('hears of what operators do: who, what, when and why', async () => {
		const { notes, rig } = await open({ authInfo: ann });
		const client = await rig.session();
		const { principal = '' } = notes.of('session-opened')[0] ?? {};
		const at = rig.clock.now();
		await rig.transport.principals.list(principal, { by: 'bob' });
		await rig.transport.principals.export(principal, { by: 'bob', reason: 'GDPR request 17' });
		await rig.transport.suspend(client.id, { by: 'bob', reason: 'quiet' });
		await rig.transport.suspend(client.id, { by: 'bob' });
		await rig.transport.terminate(client.id, 'abuse', { by: 'bob' });
		await rig.transport.principals.erase(principal);
		expect(notes.of('audit')).toEqual([
			{ type: 'audit', action: 'list', by: 'bob', principal, at, done: true },
			{ type: 'audit', action: 'export', by: 'bob', reason: 'GDPR request 17', principal, at, done: true },
			{ type: 'audit', action: 'suspend', by: 'bob', reason: 'quiet', sessionId: client.id, at, done: true },
			{ type: 'audit', action: 'suspend', by: 'bob', sessionId: client.id, at, done: false },
			{ type: 'audit', action: 'terminate', by: 'bob', reason: 'abuse', sessionId: client.id, at, done: true },
			{ type: 'audit', action: 'erase', principal, at, done: true },
		]);
	});

	it('is no operator: what clients and tools do is not for the audit', async () => {
		const { notes, rig } = await open({
			tools: {
				end: async ({ session }) => {
					await session.terminate('done');
					return '';
				},
			},
		});
		await (await rig.session()).delete();
		await (await (await rig.session()).call('end')).text();
		expect(notes.of('session-ended').map(({ reason }) => reason)).toEqual(['the client ended it', 'done']);
		expect(notes.of('audit')).toEqual([]);
	});

	it('may run handlers in a context of its own, which reaches the tool and only its own call', async () => {
		const storage = new AsyncLocalStorage<string>();
		const traced = (name: string): Observer => ({
			run: ({ requestId }, work) => storage.run(`${storage.getStore() ?? ''}${name}${requestId} `, work),
		});
		const tool: Tool = async () => {
			await Promise.resolve();
			return String(storage.getStore());
		};
		const rig = await Rig.open(door, { tools: { tool }, observe: [traced('a'), new Notes(), traced('b')] });
		const client = await rig.session();
		expect(await Promise.all([client.ask('tool'), client.ask('tool')])).toEqual(['a1 b1 ', 'a2 b2 ']);
		expect(storage.getStore()).toBeUndefined();
	});

	it.each<readonly [string, Observer]>([
		['throws', { event: fail, run: fail }],
		['throws after it ran the handler', { run: (_, work) => void [work(), fail()] }],
		['rejects', { event: async () => fail() }],
		['never settles', { event: () => new Promise(() => {}) }],
		['does not run the handler', { run: () => {} }],
		['runs the handler twice', { run: (_, work) => void [work(), work()] }],
	])('that %s hurts nobody, nor the next one', async (_, bad) => {
		const notes = new Notes();
		let calls = 0;
		const tool: Tool = async () => String(++calls);
		const rig = await Rig.open(door, { tools: { tool }, observe: [bad, notes] });
		const client = await rig.session();
		expect(await client.ask('tool')).toBe('1');
		const stream = await client.get();
		expect((await client.delete()).status).toBe(200);
		await stream.ended();
		expect(notes.of('session-ended', 'operation-ended').length).toBe(3);
		expect(rig.errors.every(({ message }) => message === 'An observer failed: No.')).toBe(true);
	});
});

describe('two nodes, each with an observer', () => {
	const [door] = doors as [(typeof doors)[number]];
	const open = async (options: RigOptions = {}) => {
		const notes = new Notes();
		const nodes = await openNodes(door, { ...options, observe: notes, tools: { asking, say, ...options.tools } });
		const [a, b] = [nodes.a.transport.nodeId, nodes.b.transport.nodeId];
		return { ...nodes, notes, ids: { a, b } };
	};

	it('hear of an operation and of a question where they run, once', async () => {
		const { a, b, notes, ids } = await open();
		const client = await a.session({ capabilities: { roots: {} } });
		const stream = await at(b, client).call('asking');
		const question = await stream.message(0);
		await client.reply(question.id, { roots: [] });
		await stream.ended();
		expect(notes.nodesOf('operation-started')).toEqual([ids.a, ids.b, ids.b]);
		expect(notes.nodesOf('operation-ended')).toEqual([ids.a, ids.b, ids.b]);
		expect(notes.of('operation-ended').map(({ operation }) => operation.method)).toEqual([
			'initialize',
			'roots/list',
			'tools/call',
		]);
	});

	it('hear once of the beginning, suspension, restoration and end of a session', async () => {
		const { a, b, notes, ids } = await open();
		const client = await a.session();
		await at(b, client).ask('echo', { text: '' });
		expect(await a.transport.suspend(client.id)).toBe(true);
		await at(b, client).ask('echo', { text: '' });
		await client.ask('echo', { text: '' });
		await b.transport.terminate(client.id, 'over', { by: 'bob' });
		await eventually(() => notes.nodesOf('session-restored')).toEqual([ids.b]);
		expect(notes.nodesOf('session-opened')).toEqual([ids.a]);
		expect(notes.nodesOf('session-suspended')).toEqual([ids.a]);
		expect(notes.of('session-ended')).toMatchObject([{ sessionId: client.id, reason: 'over' }]);
		expect(notes.nodesOf('session-ended')).toEqual([ids.b]);
		expect(notes.nodesOf('audit')).toEqual([ids.a, ids.b]);
	});

	it('hear of a takeover from each other where the stream was, of the replay where it is, of a gap, and of the end', async () => {
		const { a, b, notes, ids } = await open();
		const client = await a.session();
		const first = await client.get();
		await client.ask('say');
		await first.message(0);
		const before = first.messages[0]?.eventId;
		const second = await at(b, client).get(before);
		await first.ended();
		await eventually(() => notes.nodesOf('takeover')).toEqual([ids.a]);
		expect(notes.nodesOf('replay')).toEqual([ids.b]);
		expect(notes.nodesOf('stream-opened')).toEqual([ids.a, ids.b]);
		second.drop();
		await eventually(() => notes.nodesOf('stream-ended')).toEqual([ids.a, ids.b]);
		await at(b, client).get(before?.replace(/^./, '9'));
		await a.post({ jsonrpc: '2.0', id: 1, method: 'ping' });
		expect(notes.nodesOf('refusal')).toEqual(expect.arrayContaining([ids.a]));
		expect(new Set(notes.nodesOf('store-call'))).toEqual(new Set([ids.a, ids.b]));
	});
});

it('an option that is no observer is refused when the transport is made', () => {
	const wrong: unknown[] = [() => {}, {}, [{}], 'log'];
	for (const observe of wrong)
		expect(
			() => new HttpTransport(() => v1Server.make({ tools: {} }, undefined as never), { observe } as never),
		).toThrow(/HttpTransport: observe must be an observer, or a list of them/);
});

const ann = { token: 't', clientId: 'c', scopes: [], extra: { iss: 'https://issuer.example', sub: 'ann' } };

function fail(): never {
	throw new Error('No.');
}
