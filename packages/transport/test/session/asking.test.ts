import { describe, expect, it } from 'vitest';
import type { Loose, Received } from '../../../../test/support/clients/wire-response.ts';
import { Happening } from '../../../../test/support/deadline.ts';
import { doors } from '../../../../test/support/doors.ts';
import { Rig, type TestClient, textOf } from '../../../../test/support/rig.ts';
import { type Call, type Peer, sdks, type Tool } from '../../../../test/support/servers.ts';

const capabilities = { elicitation: { form: {}, url: {} }, sampling: { tools: {} }, roots: {} };
const form = { message: 'a?', requestedSchema: { type: 'object', properties: { a: { type: 'string' } } } };
const url = { mode: 'url', message: 'go there', url: 'https://example.com/x', elicitationId: 'e1' };
const prompt = { messages: [{ role: 'user', content: { type: 'text', text: 'hi' } }], maxTokens: 5 };
const weather = { name: 'weather', inputSchema: { type: 'object' } };
const said = { role: 'assistant', content: { type: 'text', text: 'ho' }, model: 'm' };
const used = {
	role: 'assistant',
	content: [{ type: 'tool_use', id: 't1', name: 'weather', input: {} }],
	model: 'm',
	stopReason: 'toolUse',
};

/** Every question that a server may have: what is asked, and a response to it. */
const questions: readonly (readonly [
	name: string,
	method: string,
	params: Loose,
	answer: Loose,
	ask: (peer: Peer) => Promise<Loose>,
])[] = [
	[
		'an elicitation by form',
		'elicitation/create',
		form,
		{ action: 'accept', content: { a: 'yes' } },
		(peer) => peer.elicit(form),
	],
	['an elicitation by URL', 'elicitation/create', url, { action: 'accept' }, (peer) => peer.elicit(url)],
	['an elicitation that is declined', 'elicitation/create', form, { action: 'decline' }, (peer) => peer.elicit(form)],
	['sampling', 'sampling/createMessage', prompt, said, (peer) => peer.sample(prompt)],
	[
		'sampling with tools',
		'sampling/createMessage',
		{ ...prompt, tools: [weather] },
		used,
		(peer) => peer.sample({ ...prompt, tools: [weather] }),
	],
	['roots', 'roots/list', {}, { roots: [{ uri: 'file:///r', name: 'r' }] }, (peer) => peer.roots()],
	['a ping', 'ping', undefined, {}, (peer) => peer.ping()],
];

describe.each(doors)('questions of the server, through $name', (door) => {
	describe.each(sdks)('of a $name', (sdk) => {
		it.each(questions)(
			'%s on the stream of a call reaches the client, and its response the tool',
			async (_, method, params, answer, ask) => {
				const rig = await Rig.open(door, { sdk, tools: { ask: async ({ here }) => JSON.stringify(await ask(here)) } });
				const client = await rig.session({ capabilities });
				const session = await client.get();
				const stream = await client.call('ask');
				const asked = await stream.message(0);
				expect(asked).toMatchObject({ jsonrpc: '2.0', method, ...(params && { params }) });
				const reply = await client.reply(asked.id, answer);
				expect([reply.status, await reply.text()]).toEqual([202, '']);
				await stream.ended();
				expect(JSON.parse(textOf(await stream.answer()))).toEqual(answer);
				expect([stream.messages.length, session.messages.length]).toEqual([2, 0]);
			},
		);

		it.each(questions)(
			'%s on the session stream reaches the client, and its response the server',
			async (_, method, params, answer, ask) => {
				const rig = await Rig.open(door, {
					sdk,
					tools: { ask: async ({ outside }) => JSON.stringify(await ask(outside)) },
				});
				const client = await rig.session({ capabilities });
				const session = await client.get();
				const pending = client.call('ask');
				const asked = await session.message(0);
				expect(asked).toMatchObject({ jsonrpc: '2.0', method, ...(params && { params }) });
				await client.reply(asked.id, answer);
				const call = await pending;
				expect(call.isStream).toBe(false);
				expect(JSON.parse(textOf(await call.answer()))).toEqual(answer);
			},
		);

		it('end with the error of the client', async () => {
			const { client, stream, asked } = await ask(door, { sdk });
			expect((await client.refuse(asked.id, -32042, 'no way')).status).toBe(202);
			expect(await outcome(stream)).toMatch(/no way/);
		});

		it('end after their timeout; the client is told which one, and may still answer in vain', async () => {
			const { rig, client, stream, asked } = await ask(door, { sdk, options: { timeout: 20 } });
			const told = await stream.message(1);
			expect(told).toMatchObject({ method: 'notifications/cancelled', params: { requestId: asked.id } });
			expect(await outcome(stream)).toMatch(/timed out/i);
			expect((await client.reply(asked.id, { action: 'accept' })).status).toBe(202);
			expect(rig.transport.stats().requestsWaiting).toBe(0);
		});

		it('on the session stream end after their timeout, and the client is told there', async () => {
			const tool: Tool = ({ outside }) =>
				outside.elicit(form, { timeout: 20 }).then(String, (error: Error) => error.message);
			const rig = await Rig.open(door, { sdk, tools: { ask: tool } });
			const client = await rig.session({ capabilities });
			const session = await client.get();
			const pending = client.call('ask');
			const asked = await session.message(0);
			expect(await session.message(1)).toMatchObject({
				method: 'notifications/cancelled',
				params: { requestId: asked.id },
			});
			expect(textOf(await (await pending).answer())).toMatch(/timed out/i);
		});

		it('end when the server takes them back; the client is told which one', async () => {
			const abort = new AbortController();
			const { client, stream, asked } = await ask(door, { sdk, options: { signal: abort.signal } });
			abort.abort('never mind');
			const told = await stream.message(1);
			expect(told).toMatchObject({
				method: 'notifications/cancelled',
				params: { requestId: asked.id, reason: expect.stringMatching(/never mind/) },
			});
			expect(await outcome(stream)).toMatch(/never mind/);
			expect((await client.reply(asked.id, { action: 'accept' })).status).toBe(202);
		});

		it('end with their session', async () => {
			const { rig, client, stream } = await ask(door, { sdk });
			await client.delete();
			rig.clock.advance(1_000);
			await stream.ended();
			expect((await stream.answer()).error).toBeDefined();
			expect(rig.transport.stats()).toMatchObject({ requestsWaiting: 0, requestsInFlight: 0, liveServers: 0 });
		});

		it('on the session stream end with their session, though no call runs', async () => {
			const ended = new Happening<unknown>('the end of the question');
			const askLater: Tool = ({ outside }) => {
				outside.elicit(form).then(ended.happen.bind(ended), ended.happen.bind(ended));
				return '';
			};
			const rig = await Rig.open(door, { sdk, tools: { askLater } });
			const client = await rig.session({ capabilities });
			const session = await client.get();
			await client.ask('askLater');
			await session.message(0);
			await client.delete();
			expect(await ended.wait()).toBeInstanceOf(Error);
		});

		it('hear of progress on the client, whose token leads back to them', async () => {
			const heard: number[] = [];
			const { client, stream, asked } = await ask(door, {
				sdk,
				options: { onprogress: ({ progress }: { progress: number }) => heard.push(progress) },
			});
			const { progressToken } = asked.params._meta;
			for (const progress of [1, 2]) {
				expect((await client.notify('notifications/progress', { progressToken, progress })).status).toBe(202);
			}
			await client.reply(asked.id, { action: 'decline' });
			await stream.ended();
			expect(heard).toEqual([1, 2]);
		});
	});

	it('reach a client that opens its session stream later', async () => {
		const rig = await Rig.open(door, {
			tools: { roots: async ({ outside }) => JSON.stringify(await outside.roots()) },
		});
		const client = await rig.session({ capabilities });
		const pending = client.call('roots');
		const session = await client.get();
		await client.reply((await session.message(0)).id, { roots: [] });
		expect(textOf(await (await pending).answer())).toBe('{"roots":[]}');
	});

	it('reach a client that lost the stream of its call, when it resumes', async () => {
		const arrived = new Happening<Call>('the call');
		const go = new Happening('the go-ahead');
		const rig = await Rig.open(door, {
			tools: {
				roots: async (call) => {
					await call.here.log('info', 'first');
					arrived.happen(call);
					await go.wait();
					return JSON.stringify(await call.here.roots());
				},
			},
		});
		const client = await rig.session({ capabilities });
		const first = await client.call('roots');
		await first.message(0);
		first.drop();
		go.happen();
		const second = await client.get(first.lastEventId);
		await client.reply((await second.message(0)).id, { roots: [] });
		expect(textOf(await second.answer())).toBe('{"roots":[]}');
	});

	it('beyond the bound fail at once, and the others go on', async () => {
		const { rig, client } = await ask(door, { count: 2, maxRequestsWaiting: 2 });
		expect(rig.transport.stats().requestsWaiting).toBe(2);
		const stream = await client.call('ask');
		expect(await outcome(stream)).toMatch(/2 requests wait/);
		expect(rig.transport.stats().requestsWaiting).toBe(2);
	});
});

/** A call that asks, and says how it ended. */
async function ask(door: (typeof doors)[number], { sdk, options, count = 1, maxRequestsWaiting }: Loose) {
	const tool: Tool = ({ here }) =>
		here.elicit(form, options).then(
			(answer) => JSON.stringify(answer),
			(error: Error) => `failed: ${error.message}`,
		);
	const rig = await Rig.open(door, {
		tools: { ask: tool },
		...(sdk && { sdk }),
		...(maxRequestsWaiting && { maxRequestsWaiting }),
	});
	const client: TestClient = await rig.session({ capabilities });
	const streams = await Promise.all(Array.from({ length: count }, () => client.call('ask')));
	const asked = await Promise.all(streams.map((stream) => stream.message(0)));
	return { rig, client, stream: streams[0] as (typeof streams)[0], asked: asked[0] as Received };
}

/** How the call of {@link ask} ended. */
async function outcome(answer: { answer(): Promise<Received> }): Promise<string> {
	return textOf(await answer.answer());
}
