import { EVERY_NODE } from '@holdfast/session-manager/custom';
import { describe, expect, it } from 'vitest';
import { BusyRig } from '../../../test/hostile/busy-rig.ts';
import { careless, unwritable } from '../../../test/hostile/careless-servers.ts';
import { CountingDoor } from '../../../test/hostile/counting-door.ts';
import { toWire } from '../../../test/hostile/cut-socket.ts';
import { sendRaw } from '../../../test/hostile/raw/raw-client.ts';
import { Happening, within } from '../../../test/support/deadline.ts';
import { doors } from '../../../test/support/doors.ts';
import { openNodes } from '../../../test/support/nodes.ts';
import { Rig } from '../../../test/support/rig.ts';
import { sdks, type Tool, v1McpServer } from '../../../test/support/servers.ts';

describe.each(doors)('through $name', (door) => {
	describe.each(['v1', 'v2'] as const)('with servers of SDK %s', (sdk) => {
		it.each(['json', 'sse'] as const)(
			'a result that cannot be written as JSON is an error for its client (%s), who does not wait for ever',
			async (responseMode) => {
				const rig = await Rig.open(door, { createServer: careless[sdk], responseMode });
				const client = await rig.session({ protocolVersion: '2025-03-26' });
				for (const what of Object.keys(unwritable)) {
					const { error } = await (await client.call('answer', { what })).answer();
					expect(error?.code).toBe(-32603);
				}
				const params = { name: 'answer', arguments: { what: 'bigint' } };
				const batch = await client.post([
					{ jsonrpc: '2.0', id: 'bad', method: 'tools/call', params },
					{ jsonrpc: '2.0', id: 'good', method: 'ping' },
				]);
				expect(await batch.text()).toMatch(/"id":"bad".*-32603/s);
				expect(batch.received).toMatch(/"result":\{\}/);
				expect(rig.errors).toHaveLength(4);
				for (const { message } of rig.errors)
					expect(message).toMatch(/^The result of tools\/call answer cannot be written as JSON: .+$/);
			},
		);
	});

	describe.each(sdks)('with servers of $name', (sdk) => {
		const tools = {
			ask: async ({ here }) => {
				await here.elicit({ message: 'q', requestedSchema: { type: 'object', properties: {} }, unwritable: 1n });
				return 'asked';
			},
		} satisfies Record<string, Tool>;

		it('a question that cannot be written as JSON fails at once, and leaves nobody waiting', async () => {
			const rig = await Rig.open(door, { sdk, tools });
			const client = await rig.session({ capabilities: { elicitation: {} } });
			expect(JSON.stringify(await (await client.call('ask')).answer())).toMatch(/BigInt/);
			expect(rig.transport.stats()).toMatchObject({ requestsInFlight: 0, requestsWaiting: 0 });
			expect(await rig.transport.release(client.id)).toBe(true);
		});
	});

	it('a session that is deleted while its server is made again leaves no server behind, and the call gets 404', async () => {
		const made = new Happening('the making of a server');
		const go = new Happening('the go-ahead');
		let slowly = false;
		const rig = await Rig.open(door, {
			async createServer(session) {
				if (slowly) {
					made.happen();
					await go.wait();
				}
				return v1McpServer.make({ tools: {} }, session);
			},
		});
		const client = await rig.session();
		await rig.transport.release(client.id);
		slowly = true;
		const call = client.request('ping');
		await made.wait();
		expect((await client.delete()).status).toBe(200);
		go.happen();
		expect((await call).status).toBe(404);
		expect(rig.transport.stats()).toMatchObject({ sessions: 0, liveServers: 0 });
		expect(rig.errors).toEqual([]);
	});

	it('a node that closes while a server is made leaves no server behind, and the client gets 503', async () => {
		const made = new Happening('the making of a server');
		const go = new Happening('the go-ahead');
		const rig = await Rig.open(door, {
			async createServer(session) {
				made.happen();
				await go.wait();
				return v1McpServer.make({ tools: {} }, session);
			},
		});
		const opening = rig.initialize();
		await made.wait();
		await rig.transport.close();
		go.happen();
		expect((await opening).status).toBe(503);
		expect(rig.transport.stats()).toMatchObject({ sessions: 0, liveServers: 0 });
	});

	it('an id of a request that looks like one of our own is an id like any other', async () => {
		const { a, info } = await openNodes(door);
		const client = await a.session();
		const subscribe = {
			jsonrpc: '2.0',
			id: 'holdfast:replay:0',
			method: 'resources/subscribe',
			params: { uri: 'a://1' },
		};
		expect(await (await client.post(subscribe)).answer()).toMatchObject({ id: subscribe.id, result: {} });
		expect(info.getSubscriptions('a://1')).toEqual([client.id]);
	});

	it('a cancellation that every node must hear of carries nothing that a client put beside it', async () => {
		const { a, streams } = await openNodes(door);
		const heard: string[] = [];
		const listener = {
			enqueue(chunk: Uint8Array) {
				const event = new TextDecoder().decode(chunk);
				if (event.includes('"type":"client-message"')) heard.push(event);
			},
			close() {},
			desiredSize: 1,
		};
		streams.create(EVERY_NODE, listener, { history: false });
		const client = await a.session();
		const ballast = 'x'.repeat(1_000_000);
		const params = { requestId: 'elsewhere', reason: 'enough', ballast, deep: 0, _meta: { ballast } };
		const cancelled = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params });
		expect((await client.post(cancelled.replace('"deep":0', `"deep":${'['.repeat(90)}${']'.repeat(90)}`))).status).toBe(
			202,
		);
		expect(heard).toHaveLength(1);
		expect(heard[0]).toMatch(/"requestId":"elsewhere","reason":"enough"/);
		expect(heard[0]?.length).toBeLessThan(500);
		expect((await client.notify('notifications/cancelled', { requestId: { no: 'id' } })).status).toBe(202);
		expect(heard).toHaveLength(1);
	});

	it('progress that comes too late is accepted, whichever node it is for', async () => {
		const rig = await Rig.open(door);
		const client = await rig.session();
		for (const progressToken of [`${rig.transport.nodeId}:0`, 'a-node-that-is-gone:0', 'anything', 7]) {
			expect((await client.notify('notifications/progress', { progressToken, progress: 1 })).status).toBe(202);
		}
	});
});

it('a session stream that is asked for in the same breath as DELETE does not stay open', async () => {
	const door = new CountingDoor();
	const busy = await BusyRig.open(door, v1McpServer);
	for (let round = 0; round < 20; round++) {
		const client = await busy.rig.session();
		const both = [toWire('DELETE', client.headers), toWire('GET', { accept: 'text/event-stream', ...client.headers })];
		const wire = both.map(({ head }) => head).join('');
		const { answers, hung } = await within(sendRaw(door.port, Buffer.from(wire), { answers: 2 }), 'two answers');
		expect(hung).toBe(false);
		expect(answers[0]?.status).toBe(200);
	}
	await busy.expectNothing();
});
