import { describe, expect, it } from 'vitest';
import type { WireResponse } from '../../../test/support/clients/wire-response.ts';
import { doors } from '../../../test/support/doors.ts';
import { gatedTool } from '../../../test/support/gated-tool.ts';
import { Rig, type TestClient } from '../../../test/support/rig.ts';
import { sdks, type Tool } from '../../../test/support/servers.ts';

const older = ['2025-06-18', '2025-03-26'];

/** Says something on both streams. */
const speak: Tool = async ({ here, outside, args }) => {
	await here.log('info', `here ${args['n']}`);
	await outside.log('info', `outside ${args['n']}`);
	return 'spoken';
};

describe.each(doors)('SSE streams, through $name', (door) => {
	describe('priming', () => {
		it('is the first event of every stream of 2025-11-25: an id, empty data, and when to come back', async () => {
			const rig = await Rig.open(door, { retryMs: 1_234 });
			const client = await rig.session();
			for (const stream of [await client.get(), await client.call('log')]) {
				const first = await stream.block(0);
				expect(first).toMatchObject({ id: expect.stringMatching(/./), data: '', retry: 1_234, comments: [] });
			}
		});

		it.each(older)(
			'is left out for clients of %s, which cannot read an event without data',
			async (protocolVersion) => {
				const rig = await Rig.open(door);
				const client = await rig.session({ protocolVersion });
				const post = await client.call('log');
				await post.ended();
				const get = await client.get();
				await rig.transport.notify.toolsChanged();
				await get.message(0);
				for (const { events } of [post, get]) {
					expect(events.length).toBeGreaterThan(0);
					expect(events.filter(({ data }) => data === '')).toEqual([]);
				}
			},
		);
	});

	describe('the session stream', () => {
		it.each(['2025-11-25', ...older])(
			'opens at once in %s, with bytes that proxies pass on',
			async (protocolVersion) => {
				const rig = await Rig.open(door);
				const client = await rig.session({ protocolVersion });
				const stream = await client.get();
				expect([stream.status, stream.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
				await stream.block(0);
				expect(stream.messages).toEqual([]);
				expect(rig.transport.stats().connections).toBe(1);
			},
		);

		it('belongs to the newest GET; the one before is closed, not refused and not doubled', async () => {
			const rig = await Rig.open(door);
			const client = await rig.session();
			const old = await client.get();
			await rig.transport.notify.toolsChanged();
			await old.message(0);
			const fresh = await client.get();
			expect(fresh.status).toBe(200);
			await old.ended();
			expect(old.broken).toBe(false);
			await rig.transport.notify.promptsChanged();
			expect((await fresh.message(0)).method).toBe('notifications/prompts/list_changed');
			expect(old.messages).toHaveLength(1);
			expect(rig.transport.stats().connections).toBe(1);
		});

		it('is one for each session: a newest GET closes no stream of another session', async () => {
			const rig = await Rig.open(door);
			const [a, b] = [await rig.session(), await rig.session()];
			const streamOfA = await a.get();
			await b.get();
			await (await b.get()).block(0);
			await rig.transport.notify.toolsChanged();
			expect((await streamOfA.message(0)).method).toBe('notifications/tools/list_changed');
		});

		it('carries no response', async () => {
			const rig = await Rig.open(door, { tools: { speak } });
			const client = await rig.session();
			const stream = await client.get();
			for (let n = 0; n < 3; n++) await (await client.call('speak', { n })).ended();
			await client.ask('echo', { text: '' });
			await rig.transport.notify.toolsChanged();
			await stream.find(({ method }) => method === 'notifications/tools/list_changed');
			expect(stream.messages.filter(({ message }) => message.method === undefined)).toEqual([]);
		});
	});

	it.each(sdks)('carry each message on exactly one of them ($name)', async (sdk) => {
		const rig = await Rig.open(door, { sdk, tools: { speak } });
		const client = await rig.session();
		const stream = await client.get();
		const calls = await Promise.all([1, 2, 3].map((n) => client.call('speak', { n })));
		await Promise.all(calls.map((call) => call.ended()));
		await rig.transport.notify.toolsChanged();
		await stream.find(({ method }) => method === 'notifications/tools/list_changed');
		const said = (answer: WireResponse) => answer.messages.flatMap(({ message }) => message.params?.data ?? []);
		expect(calls.map(said)).toEqual([['here 1'], ['here 2'], ['here 3']]);
		expect(said(stream).sort()).toEqual(['outside 1', 'outside 2', 'outside 3']);
	});

	it('give every event an id that is unique in the session', async () => {
		const rig = await Rig.open(door, { tools: { speak } });
		const client = await rig.session();
		const streams = [await client.get()];
		for (let n = 0; n < 3; n++) streams.push(await client.call('speak', { n }));
		await Promise.all(streams.slice(1).map((stream) => stream.ended()));
		await streams[0]?.message(2);
		streams.push(await client.get());
		await rig.transport.notify.toolsChanged();
		await streams.at(-1)?.message(0);
		const events = streams.flatMap((stream) => stream.events);
		expect(events).toHaveLength(5 + 3 * 2 + 3 + 1);
		expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
	});

	it('of a POST end right after the response', async () => {
		const rig = await Rig.open(door);
		const client = await rig.session();
		const stream = await client.call('log', { count: 2 });
		await stream.ended();
		expect([stream.broken, stream.messages.at(-1)?.message.id]).toEqual([false, client.lastRequestId]);
		expect(rig.transport.stats().connections).toBe(0);
	});

	it('send each message whole, in one event named message', async () => {
		const text = 'line\nline\r\nid: 5\n\ndata: x\u2028\u0085\ud83d\ude00';
		const rig = await Rig.open(door, {
			tools: {
				say: async ({ here }) => {
					await here.log('info', text);
					return text;
				},
			},
		});
		const client = await rig.session();
		const stream = await client.call('say');
		await stream.ended();
		expect(stream.messages[0]?.message.params.data).toBe(text);
		expect(stream.messages[1]?.message.result.content[0].text).toBe(text);
		expect(stream.events.filter(({ data }) => data !== '').map(({ event }) => event)).toEqual(['message', 'message']);
	});

	describe('that are idle', () => {
		it('get a comment each interval, which no client takes for an event', async () => {
			const rig = await Rig.open(door, { keepAliveMs: 5_000 });
			const client = await rig.session();
			const stream = await client.get();
			await stream.block(0);
			for (let beat = 1; beat <= 3; beat++) {
				rig.clock.advance(5_000);
				const block = await stream.block(beat);
				expect(block).toEqual({ comments: [expect.any(String)] });
			}
			await rig.transport.notify.toolsChanged();
			expect((await stream.message(0)).method).toBe('notifications/tools/list_changed');
		});

		it('get one before the shortest time after which a runtime or a proxy ends them: 8 to 10 s, of Bun', async () => {
			const rig = await Rig.open(door);
			const stream = await (await rig.session()).get();
			await stream.block(0);
			rig.clock.advance(7_900);
			expect((await stream.block(1)).comments).toHaveLength(1);
		});

		it('get them on the stream of a POST, too', async () => {
			const { arrived, go, tool } = gatedTool();
			const rig = await Rig.open(door, { tools: { hold: tool } });
			const client = await rig.session();
			const pending = client.call('hold');
			await arrived.wait();
			rig.clock.advance(200);
			const stream = await pending;
			await stream.block(0);
			rig.clock.advance(15_000);
			expect((await stream.block(1)).comments).toHaveLength(1);
			go.happen('done');
			await stream.ended();
			expect(stream.messages).toHaveLength(1);
		});

		it('get none where the option is 0', async () => {
			const rig = await Rig.open(door, { keepAliveMs: 0 });
			const client = await rig.session();
			const stream = await client.get();
			await stream.block(0);
			rig.clock.advance(60_000);
			await rig.transport.notify.toolsChanged();
			await stream.message(0);
			expect(stream.comments).toEqual([]);
		});
	});

	it('beyond the limit are refused with 503 and when to come back', async () => {
		const rig = await Rig.open(door, { maxStreams: 2 });
		const clients: TestClient[] = [];
		for (let n = 0; n < 3; n++) clients.push(await rig.session());
		const statuses: number[] = [];
		for (const client of clients) statuses.push((await client.get()).status);
		expect(statuses).toEqual([200, 200, 503]);
	});
});
