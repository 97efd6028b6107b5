import { describe, expect, it } from 'vitest';
import { doors } from '../../../test/support/doors.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { gatedTool } from '../../../test/support/gated-tool.ts';
import { at, openNodes } from '../../../test/support/nodes.ts';
import { Rig, textOf } from '../../../test/support/rig.ts';

describe.each(doors)('drain, through $name', (door) => {
	it('is not ready at once, and serves everything as before while balancers learn of it', async () => {
		const { a, b, clock } = await openNodes(door);
		const client = await a.session();
		const stream = await client.get();
		await stream.event(0);
		const drained = a.transport.drain({ delayMs: 2_000 });
		expect([await a.transport.isReady(), await b.transport.isReady()]).toEqual([false, true]);
		clock.advance(1_999);
		expect((await client.request('ping')).status).toBe(200);
		expect((await a.initialize()).status).toBe(200);
		expect(stream.over).toBe(false);
		clock.advance(1);
		await stream.ended();
		await drained;
		expect((await client.request('ping')).status).toBe(503);
		expect((await at(b, client).request('ping')).status).toBe(200);
	});

	it('moves streams to other nodes, at times that are spread, and nothing is lost on the way', async () => {
		const { a, b, clock } = await openNodes(door, { retryMs: 1_000 });
		const clients = await Promise.all(Array.from({ length: 12 }, () => a.session()));
		const streams = await Promise.all(clients.map((client) => client.get()));
		await Promise.all(streams.map((stream) => stream.event(0)));
		const drained = a.transport.drain({ delayMs: 10, spreadMs: 60_000 });
		clock.advance(10);
		await Promise.all(streams.map((stream) => stream.ended()));
		await drained;
		const waits = streams.map(({ blocks }) => blocks.findLast(({ retry }) => retry !== undefined)?.retry ?? 0);
		for (const wait of waits) expect(wait >= 1_000 && wait < 61_000).toBe(true);
		expect(new Set(waits).size).toBeGreaterThan(6);
		await b.transport.notify.toolsChanged();
		for (const [index, client] of clients.entries()) {
			const resumed = await at(b, client).get(streams[index]?.lastEventId);
			await resumed.find(({ method }) => method === 'notifications/tools/list_changed');
		}
	});

	it('waits for the calls that run: each gets its response, as JSON or on its stream', async () => {
		const [first, second] = [gatedTool(), gatedTool()];
		const { a, b, clock } = await openNodes(door, { tools: { first: first.tool, second: second.tool } });
		const client = await a.session();
		const streaming = client.call('first');
		await (await first.arrived.wait()).here.log('info', 'on a stream');
		const stream = await streaming;
		const quick = client.call('second');
		await second.arrived.wait();
		let over = false;
		const drained = a.transport.drain({ delayMs: 0 }).then(() => {
			over = true;
		});
		for (let second = 0; second < 10; second++) clock.advance(1_000);
		expect([over, stream.over]).toEqual([false, false]);
		first.go.happen('of the first');
		second.go.happen('of the second');
		expect(textOf(await stream.answer())).toBe('of the first');
		expect(textOf(await (await quick).answer())).toBe('of the second');
		await eventually(() => {
			clock.advance(50);
			return over;
		}).toBe(true);
		await drained;
		expect((await at(b, client).request('ping')).status).toBe(200);
	});

	it('waits no longer than it may: what still runs then gets an error', async () => {
		const { arrived, tool } = gatedTool();
		const rig = await Rig.open(door, { tools: { hold: tool } });
		const client = await rig.session();
		const pending = client.call('hold');
		await arrived.wait();
		const drained = rig.transport.drain({ delayMs: 0, timeoutMs: 1_000 });
		await eventually(() => {
			rig.clock.advance(50);
			return rig.transport.stats().requestsInFlight;
		}).toBe(0);
		await drained;
		expect((await (await pending).answer()).error).toMatchObject({ code: expect.any(Number) });
	});

	it('waits for questions too, whose answers may come to any node', async () => {
		const { a, b, clock } = await openNodes(door, {
			tools: { roots: async ({ here }) => JSON.stringify(await here.roots()) },
		});
		const client = await a.session({ capabilities: { roots: {} } });
		const pending = await client.call('roots');
		const { id } = await pending.message(0);
		const drained = a.transport.drain({ delayMs: 0 });
		clock.advance(5_000);
		expect((await at(b, client).reply(id, { roots: [] })).status).toBe(202);
		expect(textOf(await pending.answer())).toBe('{"roots":[]}');
		await eventually(() => {
			clock.advance(50);
			return a.transport.stats().sessions;
		}).toBe(0);
		await drained;
	});

	it('writes the marks that wait to be written', async () => {
		const { a, b } = await openNodes(door, {
			tools: { mark: async ({ session }) => String(await session.state.marks('sent').add('x')) },
		});
		const client = await a.session();
		expect(await client.ask('mark')).toBe('true');
		await a.transport.drain({ delayMs: 0 });
		expect(await at(b, client).ask('mark')).toBe('false');
	});

	it('is the same for whoever asks again, and ends with close', async () => {
		const { arrived, tool } = gatedTool();
		const rig = await Rig.open(door, { tools: { hold: tool } });
		const client = await rig.session();
		const pending = client.call('hold');
		await arrived.wait();
		const drained = rig.transport.drain({ delayMs: 0 });
		expect(rig.transport.drain()).toBe(drained);
		await rig.transport.close();
		rig.clock.advance(50);
		await drained;
		expect((await (await pending).answer()).error).toBeDefined();
	});
});
