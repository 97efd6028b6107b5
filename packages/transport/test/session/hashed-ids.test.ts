import { describe, expect, it } from 'vitest';
import { doors } from '../../../../test/support/doors.ts';
import { at, openNodes } from '../../../../test/support/nodes.ts';
import type { RigOptions } from '../../../../test/support/rig.ts';
import { initializeMessage, Rig } from '../../../../test/support/rig.ts';
import type { Tool } from '../../../../test/support/servers.ts';

const own = {
	whoami: ({ session }) => session.id,
	ask: async ({ here }) => JSON.stringify(await here.roots()),
	end: async ({ session }) => {
		await session.terminate('enough');
		return 'over';
	},
} satisfies Record<string, Tool>;

describe.each(doors)('ids that are stored hashed, through $name', (door) => {
	const open = (options: RigOptions = {}) => openNodes(door, { hashSessionIds: true, tools: own, ...options });

	it('are known to their client alone: the store has, and tools see, a hash', async () => {
		const { a, b, info } = await open();
		const client = await a.session();
		const stored = await client.ask('whoami');
		expect(stored).not.toBe(client.id);
		expect(await at(b, client).ask('whoami')).toBe(stored);
		expect(await info.read(client.id)).toBeUndefined();
		expect(JSON.stringify(await info.read(stored))).not.toContain(client.id);
		for (const rig of [a, b]) {
			const answer = await rig.post(
				{ jsonrpc: '2.0', id: 1, method: 'ping' },
				{ ...client.headers, 'mcp-session-id': stored },
			);
			expect(answer.status).toBe(404);
		}
	});

	it('are given back on every response, of every node', async () => {
		const { a, b } = await open();
		const client = await a.session();
		const elsewhere = at(b, client);
		const answers = [
			await client.request('ping'),
			await elsewhere.request('ping'),
			await elsewhere.notify('notifications/roots/list_changed'),
			await client.get(),
		];
		expect(answers.map(({ headers }) => headers.get('mcp-session-id'))).toEqual(Array(4).fill(client.id));
	});

	it('serve streams, resuming, questions and answers over two nodes', async () => {
		const { a, b } = await open();
		const client = await a.session({ capabilities: { roots: {} } });
		const elsewhere = at(b, client);
		const stream = await client.get();
		await stream.event(0);
		const pending = await elsewhere.call('ask');
		const { id } = await pending.message(0);
		expect((await client.reply(id, { roots: [] })).status).toBe(202);
		expect((await pending.answer()).result.content[0].text).toBe('{"roots":[]}');
		await b.transport.notify.toolsChanged();
		await stream.find(({ method }) => method === 'notifications/tools/list_changed');
		const resumed = await elsewhere.get(stream.lastEventId);
		await a.transport.notify.promptsChanged();
		await resumed.find(({ method }) => method === 'notifications/prompts/list_changed');
	});

	it.each([
		['by DELETE', (client: Client) => client.delete()],
		['by a message', (client: Client) => client.request('session/terminate')],
		['by a tool', (client: Client) => client.ask('end')],
	])('end %s', async (_, end) => {
		const { a, b } = await open();
		const client = await a.session();
		const stream = await at(b, client).get();
		await stream.event(0);
		await end(client);
		await stream.ended();
		for (const rig of [a, b]) expect((await at(rig, client).request('ping')).status).toBe(404);
	});

	it('end, are suspended and released by an operator under the stored id', async () => {
		const { a, b, info } = await open();
		const client = await a.session();
		const stored = await client.ask('whoami');
		expect(await b.transport.suspend(stored)).toBe(true);
		expect(await client.ask('whoami')).toBe(stored);
		expect(await a.transport.release(stored)).toBe(true);
		await b.transport.terminate(stored, 'maintenance');
		expect((await client.request('ping')).status).toBe(404);
		expect(await info.read(stored)).toBeUndefined();
	});
});

describe.each(doors)('getSessionId, through $name', (door) => {
	it.each(['a'.repeat(8), `!${'~'.repeat(255)}`, 'tenant-7:0123456789'])('makes the id: %s', async (id) => {
		const rig = await Rig.open(door, { getSessionId: () => id });
		const client = await rig.session();
		expect(client.id).toBe(id);
		expect((await client.request('ping')).status).toBe(200);
	});

	it.each([
		['', 'nothing', 'one of 0'],
		['short', 'what is too short', 'one of 5'],
		['x'.repeat(257), 'what is too long', 'one of 257'],
		['with a blank', 'a blank', 'one with other characters'],
		['line\r\nbreak: x', 'a line break', 'one with other characters'],
		['ünïcödé-id', 'more than ASCII', 'one with other characters'],
		[12345678 as unknown as string, 'a number', 'a value of type number'],
		[Promise.resolve('a-fine-session-id') as unknown as string, 'a promise', 'a promise of it'],
		[undefined as unknown as string, 'undefined', 'undefined'],
	])('may not answer %j: 500, the operator is told, and there is no session', async (id, _what, wrong) => {
		const rig = await Rig.open(door, { getSessionId: () => id });
		const answer = await rig.initialize();
		expect([answer.status, answer.headers.get('mcp-session-id')]).toEqual([500, null]);
		expect(rig.errors).toEqual([
			new TypeError(`getSessionId must return a string of 8 to 256 visible ASCII characters, not ${wrong}.`),
		]);
		expect(rig.transport.stats()).toMatchObject({ sessions: 0, liveServers: 0 });
	});

	it('that answers the same id twice opens no session over another', async () => {
		const rig = await Rig.open(door, { getSessionId: () => 'the-same-id', tools: own });
		const client = await rig.session();
		const second = await rig.post(initializeMessage());
		expect([second.status, second.headers.get('mcp-session-id')]).toEqual([500, null]);
		expect(rig.errors).toHaveLength(1);
		expect(rig.errors[0]?.message).not.toContain('the-same-id');
		expect(await client.ask('whoami')).toBe('the-same-id');
		expect(rig.transport.stats()).toMatchObject({ sessions: 1, liveServers: 1 });
	});

	it('that throws is the operator’s failure: 500, and nothing of it gets out', async () => {
		const rig = await Rig.open(door, {
			getSessionId: () => {
				throw new Error('a secret of the operator');
			},
		});
		const answer = await rig.initialize();
		expect([answer.status, (await answer.json()).error.message]).toEqual([500, 'Internal error']);
		expect(rig.errors.map(({ message }) => message)).toEqual(['a secret of the operator']);
	});

	it('works with ids that are stored hashed', async () => {
		const { a, info } = await openNodes(door, {
			getSessionId: () => 'tenant-7:0123456789',
			hashSessionIds: true,
			tools: own,
		});
		const client = await a.session();
		expect(client.id).toBe('tenant-7:0123456789');
		expect(await info.read(client.id)).toBeUndefined();
		expect(await info.read(await client.ask('whoami'))).toBeDefined();
	});
});

type Client = Awaited<ReturnType<Rig['session']>>;
