import { describe, expect, it } from 'vitest';
import { doors } from '../../../test/support/doors.ts';
import { gatedTool } from '../../../test/support/gated-tool.ts';
import { Rig, textOf } from '../../../test/support/rig.ts';
import { sdks } from '../../../test/support/servers.ts';

describe.each(doors)('adaptive responses, through $name', (door) => {
	it.each(sdks)('are one JSON object where a call of a $name ends soon and emits nothing', async (sdk) => {
		const rig = await Rig.open(door, { sdk });
		const client = await rig.session();
		const answer = await client.call('echo', { text: 'ü' });
		expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/json']);
		expect(await answer.json()).toEqual({
			jsonrpc: '2.0',
			id: client.lastRequestId,
			result: { content: [{ type: 'text', text: 'ü' }] },
		});
		expect(rig.transport.stats().connections).toBe(0);
	});

	it.each(sdks)('are a stream where a call of a $name emits, with the response as its last message', async (sdk) => {
		const rig = await Rig.open(door, { sdk });
		const client = await rig.session();
		const answer = await client.call('log', { count: 3 });
		expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
		expect(answer.headers.get('cache-control')).toMatch(/no-cache|no-store/);
		await answer.ended();
		expect(answer.broken).toBe(false);
		expect(answer.messages.map(({ message }) => message.params?.data.n ?? message.id)).toEqual([
			1,
			2,
			3,
			client.lastRequestId,
		]);
		expect(textOf(await answer.answer())).toBe('logged');
	});

	it('are a stream where a call takes as long as the threshold', async () => {
		const { arrived, go, tool } = gatedTool();
		const rig = await Rig.open(door, { tools: { hold: tool }, sseAfterMs: 300 });
		const client = await rig.session();
		const pending = client.call('hold');
		await arrived.wait();
		rig.clock.advance(300);
		const answer = await pending;
		expect(answer.isStream).toBe(true);
		expect(answer.messages).toEqual([]);
		go.happen('at last');
		expect(textOf(await answer.answer())).toBe('at last');
		await answer.ended();
	});

	it('are JSON where a call ends just before the threshold', async () => {
		const { arrived, go, tool } = gatedTool();
		const rig = await Rig.open(door, { tools: { hold: tool }, sseAfterMs: 300 });
		const client = await rig.session();
		const pending = client.call('hold');
		await arrived.wait();
		rig.clock.advance(299);
		go.happen('in time');
		const answer = await pending;
		expect(answer.isStream).toBe(false);
		expect(textOf(await answer.answer())).toBe('in time');
	});

	it('measure each call by its own start', async () => {
		const first = gatedTool();
		const second = gatedTool();
		const rig = await Rig.open(door, { tools: { first: first.tool, second: second.tool }, sseAfterMs: 200 });
		const client = await rig.session();
		const pendingFirst = client.call('first');
		await first.arrived.wait();
		rig.clock.advance(150);
		const pendingSecond = client.call('second');
		await second.arrived.wait();
		rig.clock.advance(50);
		expect((await pendingFirst).isStream).toBe(true);
		rig.clock.advance(149);
		second.go.happen('quick');
		expect((await pendingSecond).isStream).toBe(false);
		first.go.happen('slow');
		expect(textOf(await (await pendingFirst).answer())).toBe('slow');
	});

	it('become a stream after 200 ms where no option says otherwise', async () => {
		const { arrived, go, tool } = gatedTool();
		const rig = await Rig.open(door, { tools: { hold: tool } });
		const client = await rig.session();
		const pending = client.call('hold');
		await arrived.wait();
		rig.clock.advance(200);
		expect((await pending).isStream).toBe(true);
		go.happen('');
	});

	it('carry errors as JSON, too', async () => {
		const rig = await Rig.open(door);
		const client = await rig.session();
		const answer = await client.request('prompts/get', { name: 'none' });
		expect(answer.headers.get('content-type')).toBe('application/json');
		expect(await answer.json()).toMatchObject({ id: client.lastRequestId, error: { code: expect.any(Number) } });
	});
});

describe.each(doors)('responseMode json, through $name', (door) => {
	it('answers with JSON whatever a call emits, and leads the rest to the session stream', async () => {
		const rig = await Rig.open(door, {
			responseMode: 'json',
			tools: {
				talk: async ({ here, progress }) => {
					await here.log('info', 'one');
					await progress(1);
					return JSON.stringify((await here.elicit(question)).content);
				},
			},
		});
		const client = await rig.session({ capabilities: { elicitation: {} } });
		const stream = await client.get();
		const pending = client.call('talk', {}, { progressToken: 'p' });
		const asked = await stream.find(({ method }) => method === 'elicitation/create');
		await client.reply(asked.id, { action: 'accept', content: { a: 'yes' } });
		const answer = await pending;
		expect(answer.headers.get('content-type')).toBe('application/json');
		expect(textOf(await answer.answer())).toBe('{"a":"yes"}');
		expect(stream.messages.map(({ message }) => message.method)).toEqual([
			'notifications/message',
			'notifications/progress',
			'elicitation/create',
		]);
	});

	it('answers with JSON however long a call takes', async () => {
		const { arrived, go, tool } = gatedTool();
		const rig = await Rig.open(door, { responseMode: 'json', tools: { hold: tool } });
		const client = await rig.session();
		const pending = client.call('hold');
		await arrived.wait();
		rig.clock.advance(60_000);
		go.happen('late');
		const answer = await pending;
		expect(answer.isStream).toBe(false);
		expect(textOf(await answer.answer())).toBe('late');
	});

	it('keeps what a call emits for a client that opens its session stream later', async () => {
		const rig = await Rig.open(door, { responseMode: 'json' });
		const client = await rig.session();
		await client.ask('log', { count: 2 });
		const stream = await client.get();
		expect((await stream.message(0)).params.data).toEqual({ n: 1 });
		expect((await stream.message(1)).params.data).toEqual({ n: 2 });
	});
});

describe.each(doors)('responseMode sse, through $name', (door) => {
	it('answers initialize and every call with a stream', async () => {
		const rig = await Rig.open(door, { responseMode: 'sse' });
		const opened = await rig.initialize();
		expect(opened.isStream).toBe(true);
		expect(opened.headers.get('mcp-session-id')).not.toBeNull();
		await opened.ended();
		expect(opened.messages).toHaveLength(1);

		const client = await rig.session();
		const answer = await client.call('echo', { text: 'hi' });
		expect(answer.isStream).toBe(true);
		await answer.ended();
		expect(answer.messages.map(({ message }) => textOf(message))).toEqual(['hi']);
	});

	it('still answers what has no response with 202, and what is refused with JSON', async () => {
		const rig = await Rig.open(door, { responseMode: 'sse' });
		const client = await rig.session();
		expect((await client.notify('notifications/initialized')).status).toBe(202);
		expect((await client.post({})).headers.get('content-type')).toBe('application/json');
	});
});

const question = { message: 'a?', requestedSchema: { type: 'object', properties: { a: { type: 'string' } } } };
