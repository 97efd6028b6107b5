import { describe, expect, it } from 'vitest';
import type { Received } from '../../../test/support/clients/wire-response.ts';
import { Happening } from '../../../test/support/deadline.ts';
import { doors } from '../../../test/support/doors.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { gatedTool } from '../../../test/support/gated-tool.ts';
import { initializeMessage } from '../../../test/support/rig.ts';
import { sdks } from '../../../test/support/servers.ts';
import { openSseNodes } from './support/sse-nodes.ts';

const form = { message: 'Name?', requestedSchema: { type: 'object', properties: { name: { type: 'string' } } } };
const everything = { elicitation: {}, sampling: {}, roots: {} };
const isQuestion = ({ method }: Received) => method === 'elicitation/create';

describe.each(doors)('a stream on one node, through $name,', (door) => {
	it.each(sdks)('carries what comes of requests on every other ($name)', async (sdk) => {
		const { a, b, c } = await openSseNodes(door, { sdk });
		const onA = await a.open();
		expect((await onA.at(b).initialize()).result.serverInfo.name).toBe('test-server');
		expect((await onA.at(c).notify('notifications/initialized')).status).toBe(202);
		for (const node of [a, b, c, a, b, c]) {
			const client = onA.at(node);
			const id = await client.call('log', { count: 2 });
			expect((await client.answerTo(id)).result.content[0].text).toBe('logged');
		}
		const logged = onA.messages.filter(({ method }) => method === 'notifications/message');
		expect(logged.map(({ params }) => params.data.n)).toEqual([1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2]);
		expect([a, b, c].flatMap(({ errors }) => errors)).toEqual([]);
	});

	it.each(['here', 'outside'] as const)('asks the client, who answers on any node (%s)', async (where) => {
		const { a, b, c } = await openSseNodes(door, {
			tools: { ask: async (call) => (await call[where].elicit(form)).content.name },
		});
		const client = await a.session({ capabilities: everything });
		const answered: unknown[] = [];
		for (const node of [a, b, c]) {
			const id = await client.at(b).call('ask');
			const question = await client.find((message) => isQuestion(message) && !answered.includes(message.id));
			answered.push(question.id);
			expect((await client.at(node).reply(question.id, { action: 'accept', content: { name: 'Ada' } })).status).toBe(
				202,
			);
			expect((await client.at(b).answerTo(id)).result.content[0].text).toBe('Ada');
		}
	});

	it('hears progress, each once and in order, with its own token', async () => {
		const { a, b } = await openSseNodes(door, {
			tools: {
				async work({ progress }) {
					for (const n of [1, 2, 3]) await progress(n);
					return '';
				},
			},
		});
		const client = await a.session();
		await client.answerTo(await client.at(b).call('work', {}, { progressToken: 'mine' }));
		const heard = client.messages.filter(({ method }) => method === 'notifications/progress');
		expect(heard.map(({ params }) => [params.progressToken, params.progress])).toEqual([
			['mine', 1],
			['mine', 2],
			['mine', 3],
		]);
	});

	it('cancels a call that runs on another node, from a third', async () => {
		const { tool, arrived } = gatedTool();
		const { a, b, c } = await openSseNodes(door, { tools: { slow: tool } });
		const client = await a.session();
		const requestId = await client.at(b).call('slow');
		const { signal } = await arrived.wait();
		const aborted = new Happening('the abort');
		signal.addEventListener('abort', () => aborted.happen());
		await client.at(c).notify('notifications/cancelled', { requestId });
		await aborted.wait();
		await eventually(() => b.transport.stats().requestsInFlight).toBe(0);
		expect(await client.ask('echo', { text: 'x' })).toBe('x');
		expect(client.messages.find(({ id }) => id === requestId)).toBeUndefined();
	});

	it('is initialized by one node only, however many are asked', async () => {
		const { a, b, c } = await openSseNodes(door);
		const client = await a.open();
		const posts = [a, b, c, a, b, c].map((node) => client.at(node).post(initializeMessage()));
		const statuses = (await Promise.all(posts)).map(({ status }) => status);
		expect(statuses.sort()).toEqual([202, 400, 400, 400, 400, 400]);
		await client.answerTo('init');
		for (const node of [a, b, c]) {
			const elsewhere = client.at(node);
			expect((await elsewhere.answerTo(await elsewhere.call('echo', { text: 'x' }))).result).toBeDefined();
		}
		expect(client.messages.filter(({ id }) => id === 'init')).toHaveLength(1);
	});

	it('hears of what it is subscribed to, from every node, once', async () => {
		const { a, b, c } = await openSseNodes(door);
		const client = await a.session();
		await client.answerTo(await client.at(b).request('resources/subscribe', { uri: 'a://1' }));
		for (const { transport } of [a, b, c]) {
			await transport.notify.resourceUpdated('a://1');
			await transport.notify.resourceUpdated('a://2');
			await transport.notify.toolsChanged();
		}
		await client.ask('echo', { text: 'x' });
		expect(client.messages.flatMap(({ method, params }) => (method ? [params?.uri ?? method] : []))).toEqual([
			'a://1',
			'notifications/tools/list_changed',
			'a://1',
			'notifications/tools/list_changed',
			'a://1',
			'notifications/tools/list_changed',
		]);
	});

	it('respects the log level that was set on another', async () => {
		const { a, b, c } = await openSseNodes(door);
		const client = await a.session();
		await client.answerTo(await client.at(b).request('logging/setLevel', { level: 'warning' }));
		for (const level of ['info', 'error']) {
			const elsewhere = client.at(c);
			await elsewhere.answerTo(await elsewhere.call('log', { level }));
		}
		expect(client.messages.filter(({ method }) => method === 'notifications/message')).toMatchObject([
			{ params: { level: 'error' } },
		]);
	});

	it('that is gone ends the session on all nodes, with what it owned', async () => {
		const { tool, arrived } = gatedTool();
		const { a, b, c, streams, info } = await openSseNodes(door, { tools: { slow: tool } });
		const client = await a.session();
		await client.answerTo(await client.at(c).request('resources/subscribe', { uri: 'a://1' }));
		await client.at(b).call('slow');
		const { signal, session } = await arrived.wait();
		const aborted = new Happening('the abort');
		signal.addEventListener('abort', () => aborted.happen());
		client.stream.drop();
		await eventually(() => a.transport.stats().connections).toBe(0);
		await eventually(() => session.signal.reason).toBe('its stream ended');
		await a.advance(1_000);
		await aborted.wait();
		for (const { transport } of [a, b, c]) {
			await eventually(() => transport.stats()).toMatchObject({ sessions: 0, liveServers: 0, requestsInFlight: 0 });
		}
		expect([info.stats().subscriptions, streams.stats().streams]).toEqual([0, 0]);
		expect((await client.at(c).notify('notifications/x')).status).toBe(404);
	});

	it('that went down with its node, without a word, ends the session once the store knows that nobody holds it', async () => {
		const { tool, arrived } = gatedTool();
		const { a, b, streams, info } = await openSseNodes(door, { tools: { slow: tool } });
		const client = await a.session();
		const onB = client.at(b);
		await onB.answerTo(await onB.call('echo', { text: 'x' }));
		// As it looks to the others when a node is killed.
		const hasStream = streams.has.bind(streams);
		streams.has = (id) => id !== client.id && hasStream(id);
		a.clock.advance(1_000);
		await expect(onB.call('slow')).rejects.toThrow('404');
		expect(arrived.done).toBe(false);
		await eventually(() => info.read(client.id)).toBe(undefined);
	});

	it('closes within 100 ms when its session is ended on another, after the responses that calls get there', async () => {
		const { tool, arrived } = gatedTool();
		const { a, b, c } = await openSseNodes(door, { tools: { slow: tool } });
		const client = await a.session();
		const id = await client.at(b).call('slow');
		await arrived.wait();
		await c.transport.terminate(client.id, 'moved');
		a.clock.advance(100);
		await client.stream.ended();
		expect(await client.answerTo(id)).toMatchObject({ error: { message: 'The session ended: moved' } });
		expect((await client.notify('notifications/x')).status).toBe(404);
	});
});
