import { describe, expect, it } from 'vitest';
import { Happening, within } from '../support/deadline.ts';
import { doors } from '../support/doors.ts';
import { gatedTool } from '../support/gated-tool.ts';
import { collectGarbage } from '../support/heap-in-use.ts';
import { beginPost } from '../support/open-bodies.ts';
import { Rig, textOf } from '../support/rig.ts';
import { until } from '../support/until.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

describe.each(doors)('bodies that never end, through $name', (door) => {
	const bodyBytes = (rig: Rig) => rig.transport.stats().bodyBytes;

	it('take no more memory than the budget of the node, and leave nothing when their clients go', async () => {
		const rig = await Rig.open(door, { maxBodyBytesInFlight: MIB, maxBodyBytesPerAddress: 0 });
		const bodies = await Promise.all(Array.from({ length: 20 }, () => beginPost(rig)));
		for (const body of bodies) await body.send('x'.repeat(64 * KIB));
		const refused = await within(Promise.race(bodies.map(({ response }) => response)), 'a refusal');
		expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
		await until('every byte is counted', () => bodyBytes(rig) === MIB);
		for (const body of bodies) body.leave();
		await until('nothing is counted', () => bodyBytes(rig) === 0);
		expect((await rig.initialize()).status).toBe(200);
		expect(bodyBytes(rig)).toBe(0);
	});

	it('take no more than the budget of their session; other sessions go on', async () => {
		const rig = await Rig.open(door, { maxBodyBytesPerSession: MIB });
		const [client, other] = [await rig.session(), await rig.session()];
		const bodies = await Promise.all(Array.from({ length: 18 }, () => beginPost(rig, client.headers)));
		for (const body of bodies) await body.send('x'.repeat(64 * KIB));
		const refused = await within(Promise.race(bodies.map(({ response }) => response)), 'a refusal');
		expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
		await until('every byte is counted', () => bodyBytes(rig) === MIB);
		expect(await other.ask('echo', { text: 'hi' })).toBe('hi');
		for (const body of bodies) body.leave();
		await until('nothing is counted', () => bodyBytes(rig) === 0);
		expect(await client.ask('echo', { text: 'hi' })).toBe('hi');
	});

	it('get 408 after the deadline, and their connection is closed', async () => {
		const rig = await Rig.open(door);
		const body = await beginPost(rig);
		await body.send('{');
		await until('the body has begun', () => bodyBytes(rig) === 1);
		rig.clock.advance(29_999);
		await body.send(' ');
		await until('it goes on', () => bodyBytes(rig) === 2);
		rig.clock.advance(1);
		expect((await within(body.response, 'a response')).status).toBe(408);
		await within(body.closed, 'the end of the connection');
		expect(bodyBytes(rig)).toBe(0);
	});

	it('are refused before a byte is read where their session is unknown', async () => {
		const rig = await Rig.open(door);
		const body = await beginPost(rig, { 'mcp-session-id': 'no-such-session', 'transfer-encoding': 'chunked' });
		expect((await within(body.response, 'a response')).status).toBe(404);
		expect(bodyBytes(rig)).toBe(0);
		body.leave();
	});
});

describe.each(doors)('bodies of requests that run, through $name', (door) => {
	it('count until their requests end: a session has so many bytes of arguments, and no more', async () => {
		const gates = Array.from({ length: 4 }, gatedTool);
		const tools = Object.fromEntries(gates.map(({ tool }, index) => [`wait${index}`, tool]));
		const rig = await Rig.open(door, { tools });
		const [client, other] = [await rig.session(), await rig.session()];
		const text = 'x'.repeat(4 * MIB - 200);
		const answers = ['wait0', 'wait1', 'wait2', 'wait3'].map((name) => client.call(name, { text }));
		const settled = await within(
			Promise.race(answers.map(async (answer) => (await answer).status)),
			'the refusal of one call',
			20_000,
		);
		expect(settled).toBe(429);
		expect(rig.transport.stats().requestsInFlight).toBe(3);
		expect(rig.transport.stats().bodyBytes).toBeGreaterThan(12 * MIB - 1_000);
		expect(await other.ask('echo', { text: 'hi' })).toBe('hi');
		for (const { go } of gates) go.happen('done');
		const all = await Promise.all(answers);
		const done = all.filter(({ status }) => status === 200);
		for (const answer of done) expect(textOf(await answer.answer())).toBe('done');
		expect(done).toHaveLength(3);
		await until('nothing is counted', () => rig.transport.stats().bodyBytes === 0);
		expect(await client.ask('echo', { text })).toBe(text);
	});

	it('of small size do not count any more when their request is cancelled, or its session ends', async () => {
		const gates = [gatedTool(), gatedTool()] as const;
		const rig = await Rig.open(door, { tools: { one: gates[0].tool, two: gates[1].tool } });
		const client = await rig.session();
		const first = client.call('one', { text: 'x'.repeat(KIB) });
		await gates[0].arrived.wait();
		expect(rig.transport.stats().bodyBytes).toBeGreaterThan(KIB);
		await client.notify('notifications/cancelled', { requestId: client.lastRequestId });
		await first;
		expect(rig.transport.stats().bodyBytes).toBe(0);
		const second = client.call('two', { text: 'x'.repeat(KIB) });
		await gates[1].arrived.wait();
		await client.delete();
		rig.clock.advance(50);
		await second;
		expect(rig.transport.stats().bodyBytes).toBe(0);
		for (const { go } of gates) go.happen('late');
	});

	it.each(['is cancelled', 'ends with its session'])(
		'of great size count until the handler ends, though its request %s',
		async (how) => {
			// It keeps nothing of its calls.
			const go = new Happening<string>('the go-ahead for every call');
			let started = 0;
			const wait = () => {
				started++;
				return go.wait();
			};
			const rig = await Rig.open(door, { tools: { wait }, maxBodyBytesInFlight: 3 * MIB });
			const counted = () => rig.transport.stats().bodyBytes;
			for (const calls of [1, 2, 3]) {
				const client = await rig.session();
				const call = client.call('wait', { text: 'x'.repeat(MIB - KIB) });
				await until('the call runs', () => started === calls);
				if (how === 'is cancelled') await client.notify('notifications/cancelled', { requestId: client.lastRequestId });
				else await client.delete();
				rig.clock.advance(50);
				await call;
			}
			expect(rig.transport.stats().requestsInFlight).toBe(0);
			collectGarbage();
			expect(counted()).toBeGreaterThan(2.9 * MIB);
			const client = await rig.session();
			expect((await client.call('echo', { text: 'x'.repeat(MIB) })).status).toBe(503);
			go.happen('late');
			await until('nothing is counted', () => {
				collectGarbage();
				return counted() === 0;
			});
			expect(await client.ask('echo', { text: 'x'.repeat(MIB) })).toHaveLength(MIB);
		},
	);
});

describe.each(doors)('bodies that are costly to parse, through $name', (door) => {
	const fill = (part: string, [open, close]: readonly [string, string]) =>
		open + part.repeat(Math.floor((4 * MIB - 100) / part.length)) + close;
	const members = () => {
		let text = '{"k":0';
		for (let n = 0; n < 99_998; n++) text += `,"k${n}":0`;
		return `${text}}`;
	};

	it.each([
		['a nested array', '['.repeat(4 * MIB)],
		['nested objects', fill('{"a":', ['', ''])],
		['empty arrays', fill('[],', ['[', '[]]'])],
		['empty objects', fill('{},', ['[', '{}]'])],
		['numbers', fill('1,', ['[', '1]'])],
		['a long number', fill('1', ['', ''])],
		['a string of escaped quotes', fill('\\"', ['"', '"'])],
		['a string of escapes', fill('\\u0041', ['"', '"'])],
		['a string of backslashes', fill('\\\\', ['"', '"'])],
		['white space', fill(' ', ['[', ']'])],
		['as many members as may be', members()],
	])('do not block the loop: %s', async (_, body) => {
		const rig = await Rig.open(door);
		const client = await rig.session();
		const costs: number[] = [];
		for (let round = 0; round < 3; round++) {
			const before = process.cpuUsage();
			const answer = await client.post(body);
			const { user, system } = process.cpuUsage(before);
			costs.push((user + system) / 1_000);
			expect(answer.status).toBe(400);
			expect((await answer.json()).error.code).toBe(-32600);
		}
		// The time of the processor, in milliseconds, because others use it too; with what the client itself takes, and in
		// several threads. Nested arrays took more than a second.
		expect(Math.min(...costs)).toBeLessThan(400);
	});
});
