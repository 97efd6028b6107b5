import { describe, expect, it } from 'vitest';
import { Happening, settle } from '../../../../test/support/deadline.ts';
import { doors } from '../../../../test/support/doors.ts';
import { eventually } from '../../../../test/support/eventually.ts';
import { gatedTool } from '../../../../test/support/gated-tool.ts';
import { at, openNodes } from '../../../../test/support/nodes.ts';
import { Rig, textOf } from '../../../../test/support/rig.ts';

const MINUTE = 60_000;

describe.each(doors)('expiry of idle sessions, through $name', (door) => {
	it('makes the session unknown: 404, so that the client opens a new one', async () => {
		const rig = await Rig.open(door, { idleTtlMs: 10 * MINUTE });
		const client = await rig.session();
		rig.clock.advance(10 * MINUTE);
		const answer = await client.request('ping');
		expect(answer.status).toBe(404);
		expect(await answer.json()).toMatchObject({ error: { code: -32001 } });
		expect((await rig.session()).id).not.toBe(client.id);
	});

	it.each(['request', 'notify', 'get'] as const)(
		'comes after 24 hours where no option says otherwise, and the client did anything (%s)',
		async (use) => {
			const { a, b, clock } = await openNodes(door);
			const client = await a.session();
			clock.advance(9 * MINUTE);
			if (use === 'get') (await client.get()).drop();
			else expect((await client[use]('notifications/x')).status).toBeLessThan(300);
			clock.advance(24 * 60 * MINUTE - 1);
			expect((await at(b, client).request('ping')).status).toBe(200);
			clock.advance(24 * 60 * MINUTE);
			expect((await client.request('ping')).status).toBe(404);
		},
	);

	it('comes after 10 minutes where the client did nothing after the handshake, on whichever node', async () => {
		const { a, b, clock, info } = await openNodes(door);
		const [client, other] = [await a.session(), await a.session()];
		clock.advance(5 * MINUTE);
		await at(b, client).notify('notifications/initialized');
		clock.advance(5 * MINUTE);
		expect(info.read(other.id)).toBeUndefined();
		expect((await at(b, other).request('ping')).status).toBe(404);
		clock.advance(5 * MINUTE);
		expect((await at(b, client).request('ping')).status).toBe(404);
	});

	it.each([
		[{ unusedTtlMs: 0 }, 24 * 60 * MINUTE],
		[{ idleTtlMs: 5 * MINUTE }, 5 * MINUTE],
		[{ unusedTtlMs: 60 * MINUTE, idleTtlMs: 0 }, 60 * MINUTE],
	])('of a session that was never used is as %j says', async (options, ttl) => {
		const { a, clock, info } = await openNodes(door, options);
		const client = await a.session();
		clock.advance(ttl - 1);
		expect(info.read(client.id)).toBeDefined();
		clock.advance(1);
		expect(info.read(client.id)).toBeUndefined();
	});

	it.each([
		[{}, [], [24 * 60 * MINUTE + 10 * MINUTE + 2_000]],
		[{ idleTtlMs: 20 * MINUTE }, [], [20 * MINUTE + 5 * MINUTE + 2_000]],
		[{ unusedTtlMs: 60 * MINUTE, absoluteTtlMs: 90 * MINUTE }, [], [90 * MINUTE + 2_000]],
		[{ unusedTtlMs: 0 }, [24 * 60 * MINUTE + 10 * MINUTE + 2_000], []],
		// A session that lives for ever once it is used never gets streams that end.
		[{ idleTtlMs: 0 }, [], []],
	])('is told to the streams once, with %j when it begins or is first used', async (options, begins, used) => {
		const { a, streams, clock } = await openNodes(door, options);
		const ends: number[] = [];
		const { expireIn } = streams;
		streams.expireIn = (id, ms) => {
			ends.push(ms);
			return expireIn.call(streams, id, ms);
		};
		const client = await a.session();
		clock.advance(10);
		// What it lives is counted from when it was last used.
		expect(ends.splice(0)).toEqual(begins);
		await (await client.get()).event(0);
		await client.request('ping');
		clock.advance(10);
		expect(ends.map((ms) => ms + 10)).toEqual(used);
	});

	it('is told to the streams again only before a session outlives what they were told', async () => {
		const { a, streams, clock } = await openNodes(door, { idleTtlMs: 40 * MINUTE, absoluteTtlMs: 120 * MINUTE });
		const ends: number[] = [];
		let fails = false;
		streams.expireIn = (_, ms) => {
			if (fails) throw new Error('not now');
			ends.push(Math.round((ms - 2_000) / MINUTE));
		};
		const client = await a.session();
		const use = async (afterMs: number) => {
			clock.advance(afterMs);
			await client.request('ping');
			clock.advance(10);
			await settle();
			return ends.splice(0);
		};
		expect(await use(0)).toEqual([50]);
		expect(await use(5 * MINUTE)).toEqual([]);
		expect(await use(4 * MINUTE)).toEqual([]);
		expect(await use(2 * MINUTE)).toEqual([50]);
		fails = true;
		expect(await use(11 * MINUTE)).toEqual([]);
		expect(a.errors.splice(0).map(String)).toEqual(['Error: not now']);
		fails = false;
		// What they did not take is told with the next use.
		expect(await use(2 * MINUTE)).toEqual([50]);
		expect(await use(30 * MINUTE)).toEqual([50]);
		// It ends 120 minutes after it began, however much it is used.
		expect(await use(32 * MINUTE)).toEqual([34]);
		expect(await use(5 * MINUTE)).toEqual([]);
	});

	it('is not told of a session that has ended since it was first used', async () => {
		const { a, streams, info, clock } = await openNodes(door);
		const told: string[] = [];
		const client = await a.session();
		await client.request('ping');
		await client.delete();
		Object.assign(streams, { expireIn: () => told.push('streams') });
		info.update = () => told.push('store') > 0;
		clock.advance(10);
		expect(told).toEqual([]);
	});

	it('is told with the next use where the store did not take the first', async () => {
		const { a, clock, info } = await openNodes(door);
		const client = await a.session();
		const { update } = info;
		info.update = () => {
			throw new Error('not now');
		};
		await client.request('ping');
		clock.advance(10);
		await settle();
		expect(a.errors.splice(0).map(String)).toEqual(['Error: not now']);
		info.update = update;
		expect(info.read(client.id)).toMatchObject({ idleTtlMs: 10 * MINUTE });
		await client.request('ping');
		clock.advance(10);
		expect(info.read(client.id)).toMatchObject({ idleTtlMs: 24 * 60 * MINUTE });
	});

	it('is what the store was told of the use when the node closes', async () => {
		const { a, info } = await openNodes(door);
		const client = await a.session();
		expect(info.read(client.id)).toMatchObject({ idleTtlMs: 10 * MINUTE });
		await client.request('ping');
		await a.transport.close();
		expect(info.read(client.id)).toMatchObject({ idleTtlMs: 24 * 60 * MINUTE });
	});

	it('does not keep a node that closes waiting for a store that hangs', async () => {
		const { a, clock, info } = await openNodes(door);
		const client = await a.session();
		await client.request('ping');
		info.update = () => new Promise<boolean>(() => {}) as never;
		let isClosed = false;
		const closed = a.transport.close().then(() => {
			isClosed = true;
		});
		await settle();
		expect(isClosed).toBe(false);
		clock.advance(1_000);
		await closed;
		expect(isClosed).toBe(true);
	});

	it('closes the streams, aborts session.signal and frees the live server, without any request', async () => {
		const rig = await Rig.open(door, { idleTtlMs: 10 * MINUTE });
		const client = await rig.session();
		const stream = await client.get();
		await stream.event(0);
		const aborted = new Happening('the abort');
		rig.made[0]?.signal.addEventListener('abort', () => aborted.happen());
		rig.clock.advance(11 * MINUTE);
		await aborted.wait();
		await stream.ended();
		expect(rig.made[0]?.signal.reason).toBe('expired');
		expect(rig.transport.stats()).toMatchObject({ sessions: 0, liveServers: 0, connections: 0 });
	});

	it('is put off by every use', async () => {
		const rig = await Rig.open(door, { idleTtlMs: 10 * MINUTE });
		const client = await rig.session();
		const uses = [
			() => client.request('ping'),
			() => client.notify('notifications/roots/list_changed'),
			() => client.get(),
		];
		for (let time = 0; time < 12; time++) {
			rig.clock.advance(8 * MINUTE);
			const answer = await uses[time % uses.length]?.();
			expect(answer?.status).toBeLessThan(300);
		}
		rig.clock.advance(10 * MINUTE);
		expect((await client.request('ping')).status).toBe(404);
	});

	it('does not come while a call runs; its time begins when the call ends', async () => {
		const { arrived, go, tool } = gatedTool();
		const rig = await Rig.open(door, { idleTtlMs: 10 * MINUTE, tools: { hold: tool } });
		const client = await rig.session();
		const pending = client.call('hold');
		await arrived.wait();
		for (let minute = 0; minute < 45; minute++) rig.clock.advance(MINUTE);
		go.happen('a long time');
		expect(textOf(await (await pending).answer())).toBe('a long time');
		rig.clock.advance(5 * MINUTE);
		expect((await client.request('ping')).status).toBe(200);
		expect(rig.made[0]?.signal.aborted).toBe(false);
		rig.clock.advance(11 * MINUTE);
		expect((await client.request('ping')).status).toBe(404);
	});

	it('does not come while the server waits for the client', async () => {
		const rig = await Rig.open(door, {
			idleTtlMs: 10 * MINUTE,
			tools: { roots: async ({ outside }) => JSON.stringify(await outside.roots()) },
		});
		const client = await rig.session({ capabilities: { roots: {} } });
		const stream = await client.get();
		const pending = client.call('roots');
		const { id } = await stream.message(0);
		for (let minute = 0; minute < 45; minute++) rig.clock.advance(MINUTE);
		expect((await client.reply(id, { roots: [] })).status).toBe(202);
		expect(textOf(await (await pending).answer())).toBe('{"roots":[]}');
	});

	it('never comes where the option is 0', async () => {
		const rig = await Rig.open(door, { idleTtlMs: 0 });
		const client = await rig.session();
		await client.request('ping');
		rig.clock.advance(365 * 24 * 60 * MINUTE);
		expect((await client.request('ping')).status).toBe(200);
	});

	it('is of each session alone', async () => {
		const rig = await Rig.open(door, { idleTtlMs: 10 * MINUTE });
		const [idle, used] = [await rig.session(), await rig.session()];
		for (let time = 0; time < 3; time++) {
			rig.clock.advance(5 * MINUTE);
			await used.request('ping');
		}
		expect([(await idle.request('ping')).status, (await used.request('ping')).status]).toEqual([404, 200]);
	});
});

describe.each(doors)('absolute expiry, through $name', (door) => {
	it('ends the session however much it is used', async () => {
		const rig = await Rig.open(door, { absoluteTtlMs: 60 * MINUTE });
		const client = await rig.session();
		const stream = await client.get();
		await stream.event(0);
		for (let minute = 0; minute < 59; minute++) {
			rig.clock.advance(MINUTE);
			expect((await client.request('ping')).status).toBe(200);
		}
		rig.clock.advance(MINUTE);
		expect((await client.request('ping')).status).toBe(404);
		await stream.ended();
		expect(rig.made[0]?.signal.aborted).toBe(true);
	});

	it('also ends the call that runs: its tool hears of it, its client gets an error', async () => {
		const { arrived, tool } = gatedTool();
		const rig = await Rig.open(door, { absoluteTtlMs: 60 * MINUTE, tools: { hold: tool } });
		const client = await rig.session();
		const pending = client.call('hold');
		const { session, signal } = await arrived.wait();
		for (let minute = 0; minute < 59; minute++) rig.clock.advance(MINUTE);
		expect([session.signal.aborted, signal.aborted]).toEqual([false, false]);
		rig.clock.advance(MINUTE);
		await eventually(() => session.signal.reason).toBe('expired');
		rig.clock.advance(100);
		expect((await (await pending).answer()).error).toMatchObject({ code: -32001 });
		expect(signal.aborted).toBe(true);
		expect((await client.request('ping')).status).toBe(404);
	});

	it('comes before the idle one where it is nearer', async () => {
		const rig = await Rig.open(door, { absoluteTtlMs: 5 * MINUTE, idleTtlMs: 10 * MINUTE });
		const client = await rig.session();
		rig.clock.advance(5 * MINUTE);
		expect((await client.request('ping')).status).toBe(404);
	});
});

describe.each(doors)('the end of a session on all nodes, through $name', (door) => {
	const soon = 100;

	it.each(['idleTtlMs', 'absoluteTtlMs'] as const)(
		'is within 100 ms of its expiry: streams, session.signal, servers, memory (%s)',
		async (option) => {
			const { arrived, tool } = gatedTool();
			const { a, b, clock } = await openNodes(door, {
				[option]: 10 * MINUTE,
				suspendAfterMs: 0,
				tools: { hold: tool },
			});
			const client = await a.session();
			const stream = await at(b, client).get();
			await stream.event(0);
			// Only what has an absolute end ends while a call runs.
			if (option === 'absoluteTtlMs') {
				void at(b, client).call('hold');
				await arrived.wait();
			} else await at(b, client).request('ping');
			const signals = [a, b].map(({ made }) => made[0]?.signal);
			clock.advance(10 * MINUTE - 1);
			expect(signals.map((signal) => signal?.aborted)).toEqual([false, false]);
			expect(stream.over).toBe(false);
			clock.advance(soon);
			await eventually(() => signals.map((signal) => signal?.reason)).toEqual(['expired', 'expired']);
			await stream.ended();
			await eventually(() => [a, b].map(({ transport }) => transport.stats().sessions)).toEqual([0, 0]);
			expect((await client.request('ping')).status).toBe(404);
		},
	);
});
