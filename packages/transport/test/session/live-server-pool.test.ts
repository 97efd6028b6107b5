import { describe, expect, it } from 'vitest';
import { Happening } from '../../../../test/support/deadline.ts';
import { doors } from '../../../../test/support/doors.ts';
import { gatedTool } from '../../../../test/support/gated-tool.ts';
import { Rig, type TestClient, textOf } from '../../../../test/support/rig.ts';
import { sdks, v1McpServer } from '../../../../test/support/servers.ts';

const form = { message: 'a?', requestedSchema: { type: 'object', properties: { a: { type: 'string' } } } };
const design = { tools: { echo: ({ args }: { args: Record<string, unknown> }) => String(args['text']) } };

describe.each(doors)('live servers, through $name', (door) => {
	it('are made once for each session, and again only when one was dropped', async () => {
		const rig = await Rig.open(door);
		const client = await rig.session();
		for (let time = 0; time < 5; time++) await client.ask('echo', { text: 'x' });
		expect(rig.made).toHaveLength(1);
		expect(await rig.transport.release(client.id)).toBe(true);
		expect(rig.transport.stats().liveServers).toBe(0);
		expect(await client.ask('echo', { text: 'again' })).toBe('again');
		expect(rig.made.map(({ id }) => id)).toEqual([client.id, client.id]);
		expect(rig.transport.stats().liveServers).toBe(1);
	});

	it('may be released when there is none', async () => {
		const rig = await Rig.open(door);
		expect(await rig.transport.release('unknown')).toBe(true);
		const client = await rig.session();
		await rig.transport.release(client.id);
		expect(await rig.transport.release(client.id)).toBe(true);
	});

	it('stay while a call runs', async () => {
		const { arrived, go, tool } = gatedTool();
		const rig = await Rig.open(door, { tools: { hold: tool } });
		const client = await rig.session();
		const pending = client.call('hold');
		await arrived.wait();
		expect(await rig.transport.release(client.id)).toBe(false);
		go.happen('done');
		expect(textOf(await (await pending).answer())).toBe('done');
		expect(await rig.transport.release(client.id)).toBe(true);
	});

	it('stay while the server waits for the client', async () => {
		const answered = new Happening<string>('the answer');
		const rig = await Rig.open(door, {
			tools: {
				askLater: ({ outside }) => {
					void outside.elicit(form).then(({ action }) => answered.happen(action));
					return '';
				},
			},
		});
		const client = await rig.session({ capabilities: { elicitation: {} } });
		const stream = await client.get();
		await client.ask('askLater');
		const { id } = await stream.message(0);
		expect(await rig.transport.release(client.id)).toBe(false);
		await client.reply(id, { action: 'decline' });
		expect(await answered.wait()).toBe('decline');
		expect(await rig.transport.release(client.id)).toBe(true);
	});

	it.each(sdks)('that were made again know the client: a $name may ask what the client can do', async (sdk) => {
		const rig = await Rig.open(door, {
			sdk,
			tools: { ask: async ({ here }) => JSON.stringify(await here.elicit(form)) },
		});
		const able = await rig.session({ capabilities: { elicitation: {} } });
		const unable = await rig.session();
		for (const { id } of [able, unable]) await rig.transport.release(id);
		const stream = await able.call('ask');
		await able.reply((await stream.message(0)).id, { action: 'cancel' });
		expect(textOf(await stream.answer())).toBe('{"action":"cancel"}');
		const refused = await (await unable.call('ask')).answer();
		expect(JSON.stringify(refused)).toMatch(/not support/);
	});

	it('that were made again say nothing of it to the client', async () => {
		const rig = await Rig.open(door);
		const client = await rig.session();
		const stream = await client.get();
		await (await client.request('logging/setLevel', { level: 'info' })).text();
		await rig.transport.release(client.id);
		expect(await client.ask('echo', { text: '' })).toBe('');
		await rig.transport.notify.toolsChanged();
		await stream.message(0);
		expect(stream.messages).toHaveLength(1);
	});

	it('are made once for requests that come at the same time', async () => {
		const rig = await Rig.open(door, {
			createServer: async (session) => {
				await new Promise((resolve) => setImmediate(resolve));
				return v1McpServer.make(design, session);
			},
		});
		const client = await rig.session();
		await rig.transport.release(client.id);
		const answers = await Promise.all(['a', 'b', 'c', 'd'].map((text) => client.ask('echo', { text })));
		expect(answers).toEqual(['a', 'b', 'c', 'd']);
		expect(rig.made).toHaveLength(2);
	});

	it.each([
		['throws', () => Promise.reject(new Error('secret'))],
		['hands out a server that is in use', undefined],
	])('are made when a retry comes after the factory %s: 500 until then', async (_, broken) => {
		const shared = v1McpServer.make(design, undefined as never);
		await shared.connect({ start: async () => {}, send: async () => {}, close: async () => {} });
		let fail = false;
		const rig = await Rig.open(door, {
			createServer: (session) => (fail ? (broken?.() ?? shared) : v1McpServer.make(design, session)),
		});
		const client = await rig.session();
		await rig.transport.release(client.id);
		fail = true;
		for (let time = 0; time < 2; time++) {
			const answer = await client.call('echo', { text: 'x' });
			expect(answer.status).toBe(500);
			expect(await answer.json()).toEqual({
				jsonrpc: '2.0',
				id: client.lastRequestId,
				error: { code: -32603, message: 'Internal error' },
			});
		}
		expect(rig.errors).toHaveLength(2);
		fail = false;
		expect(await client.ask('echo', { text: 'back' })).toBe('back');
	});

	it('that close themselves are made again', async () => {
		const servers: { close(): Promise<void> }[] = [];
		const rig = await Rig.open(door, {
			createServer: (session) => {
				const server = v1McpServer.make(design, session);
				servers.push(server);
				return server;
			},
		});
		const client = await rig.session();
		await servers[0]?.close();
		expect(await client.ask('echo', { text: 'back' })).toBe('back');
		expect(servers).toHaveLength(2);
	});
});

describe.each(doors)('the bound on live servers, through $name', (door) => {
	/** Uses each session more than a second after the one before, which is how exact the order of use is. */
	const use = async (clients: readonly TestClient[]) => {
		for (const client of clients) {
			client.rig.clock.advance(2_000);
			expect(await client.ask('echo', { text: 'x' })).toBe('x');
		}
	};
	const open = async (rig: Rig, count: number) => {
		const clients: TestClient[] = [];
		for (let n = 0; n < count; n++) clients.push(await rig.session());
		return clients;
	};

	it('holds, whatever comes', async () => {
		const rig = await Rig.open(door, { maxLiveServers: 3 });
		const clients = await open(rig, 8);
		expect(rig.transport.stats()).toMatchObject({ liveServers: 3 });
		for (let round = 0; round < 3; round++) {
			await use(clients);
			expect(rig.transport.stats().liveServers).toBe(3);
		}
	});

	it('is kept by dropping what was used longest ago', async () => {
		const rig = await Rig.open(door, { maxLiveServers: 3 });
		const [a, b, c, d] = (await open(rig, 4)) as [TestClient, TestClient, TestClient, TestClient];
		await use([a, b, c, a]);
		rig.made.length = 0;
		await use([d]);
		await use([c, a, d]);
		expect(rig.made.map(({ id }) => id)).toEqual([d.id]);
		await use([b]);
		expect(rig.made.map(({ id }) => id)).toEqual([d.id, b.id]);
		await use([a, d, b]);
		expect(rig.made.map(({ id }) => id)).toEqual([d.id, b.id]);
	});

	it('leaves those alone that are busy', async () => {
		const { arrived, go, tool } = gatedTool();
		const rig = await Rig.open(door, { maxLiveServers: 1, tools: { hold: tool } });
		const busy = await rig.session();
		const pending = busy.call('hold');
		await arrived.wait();
		const others = await open(rig, 3);
		await use(others);
		expect(rig.transport.stats().liveServers).toBeLessThanOrEqual(2);
		go.happen('undisturbed');
		expect(textOf(await (await pending).answer())).toBe('undisturbed');
	});

	it('costs no call its response, however many sessions compete', async () => {
		const rig = await Rig.open(door, { maxLiveServers: 1 });
		const clients = await open(rig, 20);
		for (let round = 0; round < 3; round++) {
			const answers = await Promise.all(clients.map((client, n) => client.ask('echo', { text: String(n) })));
			expect(answers).toEqual(clients.map((_, n) => String(n)));
		}
	});

	it('closes no stream: sessions without a live server go on', async () => {
		const rig = await Rig.open(door, { maxLiveServers: 1 });
		const clients = await open(rig, 3);
		const streams = await Promise.all(clients.map((client) => client.get()));
		await use(clients);
		await rig.transport.notify.toolsChanged();
		for (const stream of streams) expect((await stream.message(0)).method).toBe('notifications/tools/list_changed');
	});
});
