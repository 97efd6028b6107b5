import { describe, expect, it } from 'vitest';
import type { Received } from '../../../test/support/clients/wire-response.ts';
import { Happening } from '../../../test/support/deadline.ts';
import { doors } from '../../../test/support/doors.ts';
import { initializeMessage, Rig } from '../../../test/support/rig.ts';

const withBatches = { protocolVersion: '2025-03-26' };
const ping = (id: unknown) => ({ jsonrpc: '2.0', id, method: 'ping' });
const call = (id: unknown, name: string, args: unknown = {}) => ({
	jsonrpc: '2.0',
	id,
	method: 'tools/call',
	params: { name, arguments: args },
});
const note = { jsonrpc: '2.0', method: 'notifications/roots/list_changed' };
const byId = (messages: readonly Received[]) => messages.map(({ id }) => id).sort();

describe.each(doors)('batches, through $name', (door) => {
	it('are answered with one array in a session of 2025-03-26', async () => {
		const rig = await Rig.open(door);
		const client = await rig.session(withBatches);
		const answer = await client.post([ping('a'), call('b', 'echo', { text: 'hi' }), { ...ping('c'), method: 'nope' }]);
		expect(answer.status).toBe(200);
		expect(answer.headers.get('content-type')).toBe('application/json');
		const messages: Received[] = await answer.json();
		expect(byId(messages)).toEqual(['a', 'b', 'c']);
		expect(messages.find(({ id }) => id === 'b')?.result.content[0].text).toBe('hi');
		expect(messages.find(({ id }) => id === 'c')?.error?.code).toBe(-32601);
	});

	it('of one request are answered with an array, too', async () => {
		const rig = await Rig.open(door);
		const client = await rig.session(withBatches);
		expect(await (await client.post([ping(1)])).json()).toEqual([{ jsonrpc: '2.0', id: 1, result: {} }]);
	});

	it('may mix requests with notifications, which get no response', async () => {
		const rig = await Rig.open(door);
		const client = await rig.session(withBatches);
		const answer = await client.post([note, ping(1), note]);
		expect(byId(await answer.json())).toEqual([1]);
	});

	it('of notifications alone are accepted with 202 and no body', async () => {
		const rig = await Rig.open(door);
		const client = await rig.session(withBatches);
		const answer = await client.post([note, note]);
		expect([answer.status, await answer.text()]).toEqual([202, '']);
	});

	it('become a stream with a response to each request when one of them emits', async () => {
		const rig = await Rig.open(door);
		const client = await rig.session(withBatches);
		const answer = await client.post([ping(1), call(2, 'log', { count: 2 }), ping(3)]);
		expect(answer.isStream).toBe(true);
		await answer.ended();
		const messages = answer.messages.map(({ message }) => message);
		expect(byId(messages.filter(({ method }) => method === undefined))).toEqual([1, 2, 3]);
		expect(
			messages.filter(({ method }) => method === 'notifications/message').map(({ params }) => params.data.n),
		).toEqual([1, 2]);
	});

	it('carry the response to a question of the server', async () => {
		const rig = await Rig.open(door, { tools: { roots: async ({ here }) => JSON.stringify(await here.roots()) } });
		const client = await rig.session({ ...withBatches, capabilities: { roots: {} } });
		const answer = await client.call('roots');
		const question = await answer.message(0);
		const reply = await client.post([{ jsonrpc: '2.0', id: question.id, result: { roots: [] } }, ping('p')]);
		expect(byId(await reply.json())).toEqual(['p']);
		expect((await answer.answer()).result.content[0].text).toBe('{"roots":[]}');
	});

	it('wait for all their responses, but not for what was cancelled', async () => {
		const arrived = new Happening<AbortSignal>('the call');
		const rig = await Rig.open(door, {
			tools: {
				hold: ({ signal }) => {
					arrived.happen(signal);
					return new Promise(() => {});
				},
			},
		});
		const client = await rig.session(withBatches);
		const pending = client.post([ping(1), call(2, 'hold')]);
		await arrived.wait();
		await client.notify('notifications/cancelled', { requestId: 2 });
		expect(byId(await (await pending).json())).toEqual([1]);
	});

	it.each(['2025-06-18', '2025-11-25'])(
		'are refused with 400 in a session of %s, which has none',
		async (protocolVersion) => {
			const rig = await Rig.open(door);
			const client = await rig.session({ protocolVersion });
			for (const batch of [[ping(1)], [note]]) await expectInvalid(await client.post(batch));
			expect((await client.post(ping(2))).status).toBe(200);
		},
	);

	it('are refused when they are empty', async () => {
		const rig = await Rig.open(door);
		await expectInvalid(await (await rig.session(withBatches)).post([]));
		await expectInvalid(await rig.post([]));
	});

	it('are refused over the limit, and taken up to it', async () => {
		const rig = await Rig.open(door);
		const client = await rig.session(withBatches);
		const pings = Array.from({ length: 101 }, (_, id) => ping(id));
		await expectInvalid(await client.post(pings));
		expect(await (await client.post(pings.slice(1))).json()).toHaveLength(100);
	});

	it('keep to the limit that the option sets', async () => {
		const rig = await Rig.open(door, { maxBatch: 2 });
		const client = await rig.session(withBatches);
		await expectInvalid(await client.post([ping(1), ping(2), ping(3)]));
		expect((await client.post([ping(1), ping(2)])).status).toBe(200);
	});

	it('are refused with initialize among them', async () => {
		const rig = await Rig.open(door);
		const batch = [initializeMessage(withBatches), ping(1)];
		const outside = await rig.post(batch);
		await expectInvalid(outside);
		expect(outside.headers.get('mcp-session-id')).toBeNull();
		await expectInvalid(await rig.post([initializeMessage(withBatches)]));
		await expectInvalid(await (await rig.session(withBatches)).post(batch));
	});

	it('are refused as a whole with one malformed message among them: nothing of them runs', async () => {
		let runs = 0;
		const rig = await Rig.open(door, { tools: { count: () => String(++runs) } });
		const client = await rig.session(withBatches);
		for (const bad of [null, {}, [ping(2)], { jsonrpc: '2.0', id: null, method: 'ping' }]) {
			await expectInvalid(await client.post([call(1, 'count'), bad]));
		}
		expect(runs).toBe(0);
	});

	it('are refused with the same request id twice: nothing of them runs', async () => {
		let runs = 0;
		const rig = await Rig.open(door, { tools: { count: () => String(++runs) } });
		const client = await rig.session(withBatches);
		await expectInvalid(await client.post([call(1, 'count'), call(1, 'count')]));
		expect(runs).toBe(0);
	});

	it('need a session', async () => {
		const rig = await Rig.open(door);
		expect((await rig.post([ping(1)])).status).toBe(400);
		expect((await rig.post([ping(1)], { 'mcp-session-id': 'unknown' })).status).toBe(404);
	});
});

async function expectInvalid(answer: { readonly status: number; json(): Promise<unknown> }): Promise<void> {
	expect(answer.status).toBe(400);
	expect(await answer.json()).toMatchObject({ jsonrpc: '2.0', id: null, error: { code: -32600 } });
}
