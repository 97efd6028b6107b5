import { describe, expect, it } from 'vitest';
import type { WireResponse } from '../../../test/support/clients/wire-response.ts';
import { doors } from '../../../test/support/doors.ts';
import { gatedTool } from '../../../test/support/gated-tool.ts';
import { Rig, textOf } from '../../../test/support/rig.ts';
import { type Sdk, sdks, type Tool } from '../../../test/support/servers.ts';
import { Steps } from '../../../test/support/steps.ts';

const numbers = (...streams: WireResponse[]) =>
	streams.flatMap(({ messages }) => messages.flatMap(({ message }) => message.params?.data.n ?? []));

describe.each(doors)('resuming the session stream, through $name', (door) => {
	it('delivers what was sent meanwhile, each message once and in order, and then goes on live', async () => {
		const rig = await Rig.open(door, { tools: { say } });
		const client = await rig.session();
		const first = await client.get();
		await client.ask('say', { n: 1 });
		await client.ask('say', { n: 2 });
		await first.message(1);
		first.drop();
		for (const n of [3, 4, 5]) await client.ask('say', { n });
		const second = await client.get(first.lastEventId);
		await second.message(2);
		for (const n of [6, 7]) await client.ask('say', { n });
		await second.message(4);
		expect(numbers(first, second)).toEqual([1, 2, 3, 4, 5, 6, 7]);
	});

	it('works before the first message: the priming event is a place to resume from', async () => {
		const rig = await Rig.open(door, { tools: { say } });
		const client = await rig.session();
		const first = await client.get();
		const { id } = await first.event(0);
		first.drop();
		await client.ask('say', { n: 1 });
		const second = await client.get(id);
		await second.message(0);
		expect(numbers(second)).toEqual([1]);
	});

	it('goes by what the client saw, not by what was sent', async () => {
		const rig = await Rig.open(door, { tools: { say } });
		const client = await rig.session();
		const first = await client.get();
		for (const n of [1, 2, 3]) await client.ask('say', { n });
		await first.message(2);
		const seen = first.messages[0]?.eventId;
		for (let time = 0; time < 2; time++) {
			const again = await client.get(seen);
			await again.message(1);
			expect(numbers(again)).toEqual([2, 3]);
		}
	});

	it('includes broadcasts, in the order in which everything was sent', async () => {
		const rig = await Rig.open(door, { tools: { say } });
		const client = await rig.session();
		const first = await client.get();
		await first.event(0);
		first.drop();
		await client.ask('say', { n: 1 });
		await rig.transport.notify.toolsChanged();
		await client.ask('say', { n: 2 });
		await rig.transport.notify.promptsChanged();
		const second = await client.get(first.lastEventId);
		await second.message(3);
		expect(second.messages.map(({ message }) => message.params?.data.n ?? message.method)).toEqual([
			1,
			'notifications/tools/list_changed',
			2,
			'notifications/prompts/list_changed',
		]);
	});

	it('without an event id begins with what no stream has carried yet', async () => {
		const rig = await Rig.open(door, { tools: { say } });
		const client = await rig.session();
		await client.ask('say', { n: 1 });
		const first = await client.get();
		await first.message(0);
		const second = await client.get();
		await client.ask('say', { n: 2 });
		await second.message(0);
		expect([numbers(first), numbers(second)]).toEqual([[1], [2]]);
	});

	it.each(['2025-06-18', '2025-03-26'])('works in %s, too', async (protocolVersion) => {
		const rig = await Rig.open(door, { tools: { say } });
		const client = await rig.session({ protocolVersion });
		const first = await client.get();
		await client.ask('say', { n: 1 });
		await first.message(0);
		first.drop();
		await client.ask('say', { n: 2 });
		const second = await client.get(first.lastEventId);
		await client.ask('say', { n: 3 });
		await second.message(1);
		expect(numbers(first, second)).toEqual([1, 2, 3]);
	});
});

describe.each(doors)('resuming the stream of a POST, through $name', (door) => {
	it.each(sdks)('goes on with the running call of a $name to its end', async (sdk) => {
		const { client, steps, first } = await beginCounting(door, sdk);
		await steps.take();
		await first.message(1);
		first.drop();
		await steps.take(2);
		const second = await client.get(first.lastEventId);
		expect([second.status, second.isStream]).toEqual([200, true]);
		await second.message(1);
		await steps.take();
		await second.message(2);
		steps.finish();
		await second.ended();
		expect(second.broken).toBe(false);
		expect(numbers(first, second)).toEqual([1, 2, 3, 4, 5]);
		expect(second.messages.at(-1)?.message).toMatchObject({ id: client.lastRequestId });
		expect(textOf(await second.answer())).toBe('counted to 5');
	});

	it.each(sdks)('delivers the rest of a call of a $name that ended meanwhile', async (sdk) => {
		const { client, steps, first } = await beginCounting(door, sdk);
		first.drop();
		await steps.take();
		await steps.finish();
		const second = await client.get(first.lastEventId);
		await second.ended();
		expect(numbers(first, second)).toEqual([1, 2]);
		expect(textOf(await second.answer())).toBe('counted to 2');
	});

	it('works again and again, from wherever the connection broke', async () => {
		const { client, steps, first } = await beginCounting(door);
		const streams = [first];
		for (let round = 0; round < 4; round++) {
			streams.at(-1)?.drop();
			await steps.take();
			const next = await client.get(streams.at(-1)?.lastEventId);
			await next.message(0);
			streams.push(next);
		}
		streams.at(-1)?.drop();
		await steps.finish();
		const last = await client.get(streams.at(-1)?.lastEventId);
		await last.ended();
		expect(numbers(...streams, last)).toEqual([1, 2, 3, 4, 5]);
		expect(textOf(await last.answer())).toBe('counted to 5');
	});

	it('works before the first message', async () => {
		const { arrived, go, tool } = gatedTool();
		const rig = await Rig.open(door, { tools: { hold: tool } });
		const client = await rig.session();
		const pending = client.call('hold');
		await arrived.wait();
		rig.clock.advance(200);
		const first = await pending;
		const { id } = await first.event(0);
		first.drop();
		const second = await client.get(id);
		go.happen('done');
		expect(textOf(await second.answer())).toBe('done');
	});

	it('takes the stream over from a connection that is still open', async () => {
		const { client, steps, first } = await beginCounting(door);
		const second = await client.get(first.lastEventId);
		await first.ended();
		await steps.take();
		steps.finish();
		await second.ended();
		expect([numbers(first), numbers(second)]).toEqual([[1], [2]]);
	});

	it('leaves the session stream as it is', async () => {
		const { rig, client, steps, first } = await beginCounting(door);
		const session = await client.get();
		await session.event(0);
		first.drop();
		const second = await client.get(first.lastEventId);
		await rig.transport.notify.toolsChanged();
		await session.message(0);
		expect(session.over).toBe(false);
		steps.finish();
		await second.ended();
		expect(numbers(first, second)).toEqual([1]);
		expect(session.messages).toHaveLength(1);
	});

	it('is a stream of its own, primed and kept alive as any', async () => {
		const { rig, client, steps, first } = await beginCounting(door);
		first.drop();
		const second = await client.get(first.lastEventId);
		expect(await second.block(0)).toMatchObject({ id: expect.any(String), data: '', retry: expect.any(Number) });
		rig.clock.advance(15_000);
		expect((await second.block(1)).comments).toHaveLength(1);
		steps.finish();
		await second.ended();
	});

	it('is refused with 405 when the client has seen the end', async () => {
		const { client, steps, first } = await beginCounting(door);
		steps.finish();
		await first.ended();
		const answer = await client.get(first.lastEventId);
		expect(answer.status).toBe(405);
		expect(await answer.json()).toMatchObject({ jsonrpc: '2.0', id: null, error: { code: -32000 } });
	});

	it('never delivers what belongs to another stream', async () => {
		const rig = await Rig.open(door, { tools: { say } });
		const client = await rig.session();
		const [one, two] = [gatedTool(), gatedTool()];
		const calls = { one, two };
		const held = await Rig.open(door, { tools: { say, one: calls.one.tool, two: calls.two.tool } });
		const other = await held.session();
		const pending = [other.call('one'), other.call('two')];
		await one.arrived.wait();
		await two.arrived.wait();
		held.clock.advance(200);
		const [first, second] = await Promise.all(pending);
		await first?.event(0);
		await second?.event(0);
		first?.drop();
		await other.ask('say', { n: 'session' });
		await client.ask('say', { n: 'other session' });
		two.go.happen('two');
		await second?.ended();
		one.go.happen('one');
		const resumed = await other.get(first?.lastEventId);
		await resumed.ended();
		expect(resumed.messages.map(({ message }) => textOf(message))).toEqual(['one']);
	});
});

/** Says something on the session stream. */
const say: Tool = async ({ outside, args }) => {
	await outside.log('info', { n: args['n'] });
	return '';
};

/** A call that counts as it is told to, after its first step. */
async function beginCounting(door: (typeof doors)[number], sdk?: Sdk) {
	const steps = new Steps();
	const rig = await Rig.open(door, { tools: { count: steps.tool }, ...(sdk && { sdk }) });
	const client = await rig.session();
	const pending = client.call('count');
	await steps.take();
	const first = await pending;
	await first.message(0);
	return { rig, client, steps, first };
}
