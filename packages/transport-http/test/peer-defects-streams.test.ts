// What goes wrong in the systems that users would pick instead, line by line: here the lines about streams and state.
import { SessionState } from '@holdfast/session-manager';
import { afterEach, describe, expect, it } from 'vitest';
import { HealthySession } from '../../../test/hostile/healthy-session.ts';
import { nothingHeld, ServerProcess } from '../../../test/hostile/server-process.ts';
import { within } from '../../../test/support/deadline.ts';
import { doors } from '../../../test/support/doors.ts';
import { gatedTool } from '../../../test/support/gated-tool.ts';
import { at, openNodes } from '../../../test/support/nodes.ts';
import { Rig, TestClient } from '../../../test/support/rig.ts';
import { sdks, type Tool } from '../../../test/support/servers.ts';
import { Steps } from '../../../test/support/steps.ts';

/** Says a number on the session stream. */
const say: Tool = async ({ args, outside }) => {
	await outside.log('info', { n: args['n'] });
	return 'said';
};

describe('a process', () => {
	let server: ServerProcess | undefined;

	afterEach(() => server?.stop());

	it.each(['v1', 'v2'] as const)(
		'defect 28: with SDK %s survives clients that go mid-progress, and servers that log after their response',
		async (sdk) => {
			server = await ServerProcess.start(sdk);
			for (const port of Object.values(server.ports)) {
				const session = await HealthySession.open(port);
				const call = (id: string, name: string, signal?: AbortSignal) =>
					session.post({ jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: {} } }, signal);
				await (await call('late', 'late')).text();
				for (let n = 0; n < 10; n++) {
					const gone = new AbortController();
					const response = await call(`chatter ${n}`, 'chatter', gone.signal);
					await within(response.body?.getReader().read() ?? Promise.reject(new Error('No body.')), 'some progress');
					gone.abort();
					await (await call(`late ${n}`, 'late')).text();
				}
				await session.expectWell();
				const atWork = { requestsInFlight: 10, connections: 0 };
				expect(await server.settled(atWork)).toEqual(atWork);
				await session.end();
			}
			expect(await server.settled(nothingHeld)).toEqual(nothingHeld);
			expect((await server.stats()).reported).toEqual([]);
			expect(server.trouble).toBeUndefined();
		},
	);
});

describe.each(doors)('through $name', (door) => {
	it.each(sdks)('defect 29: the stream of a cancelled call of a $name closes, and its handler is told', async (sdk) => {
		const { tool, arrived } = gatedTool();
		const rig = await Rig.open(door, { sdk, tools: { wait: tool }, responseMode: 'sse' });
		const client = await rig.session();
		const answer = await client.call('wait');
		const call = await arrived.wait();
		await client.notify('notifications/cancelled', { requestId: client.lastRequestId });
		await answer.ended();
		expect(answer.broken).toBe(false);
		expect(answer.messages).toEqual([]);
		expect(call.signal.aborted).toBe(true);
		expect(rig.transport.stats()).toMatchObject({ requestsInFlight: 0, connections: 0 });
	});

	it('defect 30: after a replay on another node, the stream of a running call is live to its end', async () => {
		const steps = new Steps();
		const { a, b } = await openNodes(door, { tools: { count: steps.tool } });
		const client = await a.session();
		const answer = client.call('count');
		await steps.take(1);
		const first = await answer;
		const { eventId } = await first.sseMessage(0);
		first.drop();
		await steps.take(2);
		const resumed = await at(b, client).get(eventId);
		await resumed.message(1);
		await steps.take(2);
		await resumed.message(3);
		await steps.finish();
		expect((await resumed.answer()).result.content[0].text).toBe('counted to 5');
		await resumed.ended();
		expect(resumed.messages.map(({ message }) => message.params?.data.n)).toEqual([2, 3, 4, 5, undefined]);
	});

	it('defect 30: after a replay on another node, the session stream is live', async () => {
		const { a, b } = await openNodes(door, { tools: { say } });
		const client = await a.session();
		const stream = await client.get();
		await client.ask('say', { n: 1 });
		const { eventId } = await stream.sseMessage(0);
		stream.drop();
		await client.ask('say', { n: 2 });
		const resumed = await at(b, client).get(eventId);
		await resumed.message(0);
		await client.ask('say', { n: 3 });
		await resumed.message(1);
		expect(resumed.messages.map(({ message }) => message.params?.data.n)).toEqual([2, 3]);
	});

	it('defects 31 and 32: idle streams get comments, well within 125 s, and none becomes part of an event', async () => {
		const { tool, arrived } = gatedTool();
		const { a, clock } = await openNodes(door, { tools: { say, wait: tool }, responseMode: 'sse' });
		const client = await a.session();
		const streams = [await client.get(), await client.call('wait')];
		await arrived.wait();
		for (let n = 1; n <= 5; n++) {
			clock.advance(25_000);
			for (const stream of streams)
				await expect.poll(() => stream.comments.length, { interval: 5 }).toBeGreaterThanOrEqual(n);
			await client.ask('say', { n });
			await streams[0]?.message(n - 1);
		}
		// The reader takes nothing for an event, or for a comment, that is not whole and alone.
		for (const { blocks } of streams) {
			for (const { comments, data, id, event } of blocks) {
				if (comments.length > 0) expect([data, id, event]).toEqual([undefined, undefined, undefined]);
			}
		}
		expect(streams[0]?.messages.map(({ message }) => message.params?.data.n)).toEqual([1, 2, 3, 4, 5]);
	});

	it('defect 33: a client that resumes again and again is sent nothing twice', async () => {
		const { a, b } = await openNodes(door, { tools: { say } });
		const client = await a.session();
		const seen: number[] = [];
		let lastEventId: string | undefined;
		for (let round = 0; round < 5; round++) {
			for (const n of [1, 2, 3]) await client.ask('say', { n: round * 3 + n });
			const stream = await at(round % 2 === 0 ? b : a, client).get(lastEventId);
			// Of what is replayed it sees two thirds, then it is cut off; a stream without an id would go on after the rest.
			await stream.message(1);
			lastEventId = stream.messages[1]?.eventId;
			seen.push(...stream.messages.slice(0, 2).map(({ message }) => message.params?.data.n));
			stream.drop();
		}
		expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
		const rest = await client.get(lastEventId);
		await rest.message(4);
		expect(rest.messages.map(({ message }) => message.params?.data.n)).toEqual([11, 12, 13, 14, 15]);
	});

	it('defect 34: increments of two nodes at once lose nothing, and one change may read and write others', async () => {
		const add: Tool = async ({ session }) => {
			await Promise.all([session.state.increment('count'), session.state.increment('count')]);
			await session.state.update('cart', (cart) => [...((cart as number[] | undefined) ?? []), 1]);
			return 'added';
		};
		const nested: Tool = async ({ session }) => {
			await session.state.update('sum', async () => {
				await session.state.increment('steps');
				return session.state.get('count');
			});
			return String(await session.state.get('sum'));
		};
		const { a, b, info } = await openNodes(door, { tools: { add, nested } });
		const client = await a.session();
		const calls = Array.from({ length: 60 }, (_, n) => at(n % 2 === 0 ? a : b, client));
		await Promise.all(
			calls.map((caller, n) =>
				caller
					.post({ jsonrpc: '2.0', id: n, method: 'tools/call', params: { name: 'add', arguments: {} } })
					.then((answer) => answer.answer()),
			),
		);
		const state = new SessionState(info, client.id);
		expect(await state.get('count')).toBe(120);
		expect(await state.get('cart')).toHaveLength(60);
		expect(await client.ask('nested')).toBe('120');
	});

	it('defect 35: an id is never a path, and what cannot be read is an error, never a fresh start', async () => {
		const read: Tool = async ({ session }) => String(await session.state.get('key'));
		const { a, info } = await openNodes(door, { tools: { read } });
		const client = await a.session();
		for (const id of [
			'../../../../etc/passwd',
			'..',
			'/etc/passwd',
			'C:\\windows',
			'%2e%2e%2f',
			'__proto__',
			'constructor',
		]) {
			const stranger = new TestClient(a, id, client.protocolVersion, client.result);
			expect([(await stranger.request('ping')).status, (await stranger.get()).status]).toEqual([404, 404]);
		}
		info.writeState(client.id, 'key', '*', 'cos\nsystem\n(S"true"\ntR.');
		expect(JSON.stringify(await (await client.call('read')).answer())).toMatch(/unknown format/);
		expect(info.readState(client.id, 'key')?.value).toMatch(/^cos/);
	});
});
