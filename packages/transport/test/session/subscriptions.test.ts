import { InMemoryInfoSessionManager } from '@holdfast/session-manager';
import { ManualClock } from '@holdfast/session-manager/testing';
import { Server as V1Server } from '@modelcontextprotocol/sdk/server/index.js';
import { SubscribeRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { describe, expect, it } from 'vitest';
import type { WireResponse } from '../../../../test/support/clients/wire-response.ts';
import { doors } from '../../../../test/support/doors.ts';
import { at, openNodes } from '../../../../test/support/nodes.ts';
import { Rig, type TestClient } from '../../../../test/support/rig.ts';
import { sdks } from '../../../../test/support/servers.ts';

const a = { uri: 'file:///a' };
const b = { uri: 'file:///b' };

/** Asks for something that a resource server answers with an empty result. */
async function done(client: TestClient, method: string, params: object): Promise<void> {
	expect(await (await client.request(method, params)).json()).toEqual({
		jsonrpc: '2.0',
		id: client.lastRequestId,
		result: {},
	});
}

/** The resources of which the stream was told, up to a list change that is sent now. */
async function toldOf(rig: Rig, stream: WireResponse): Promise<string[]> {
	await rig.transport.notify.promptsChanged();
	await stream.find(({ method }) => method === 'notifications/prompts/list_changed');
	return stream.messages
		.filter(({ message }) => message.method === 'notifications/resources/updated')
		.map(({ message }) => message.params.uri);
}

describe.each(doors)('subscriptions, through $name', (door) => {
	it('to a URI that is not well-formed Unicode are refused: in a store it would be another', async () => {
		const info = new InMemoryInfoSessionManager();
		const rig = await Rig.open(door, { subscribeHandler: true, sessionManager: { info } });
		const client = await rig.session();
		const { error } = await (await client.request('resources/subscribe', { uri: 'file:///\ud800' })).answer();
		expect(error?.code).toBe(-32602);
		expect(info.stats().subscriptions).toBe(0);
	});

	describe.each([
		['that handles them', true],
		['that only declares them', false],
	])('to a server %s', (_, subscribeHandler) => {
		it.each(sdks)('are recorded: $name', async (sdk) => {
			const rig = await Rig.open(door, { sdk, subscribeHandler });
			const client = await rig.session();
			const stream = await client.get();
			await done(client, 'resources/subscribe', a);
			await rig.transport.notify.resourceUpdated(a.uri);
			expect(await stream.message(0)).toEqual({ jsonrpc: '2.0', method: 'notifications/resources/updated', params: a });
			expect(await rig.made[0]?.subscriptions()).toEqual([a.uri]);
		});

		it.each(sdks)('end when the client says so: $name', async (sdk) => {
			const rig = await Rig.open(door, { sdk, subscribeHandler });
			const client = await rig.session();
			const stream = await client.get();
			for (const params of [a, b]) await done(client, 'resources/subscribe', params);
			await done(client, 'resources/unsubscribe', a);
			for (const { uri } of [a, b]) await rig.transport.notify.resourceUpdated(uri);
			expect(await toldOf(rig, stream)).toEqual([b.uri]);
		});
	});

	it('are bounded: one too many is refused with an error, what is there can be asked for again', async () => {
		const { a: first, b: second } = await openNodes(door, { maxSubscriptions: 3 });
		const client = await first.session();
		const subscribe = async (node: Rig, uri: string) =>
			(await (await at(node, client).request('resources/subscribe', { uri })).json()).error?.message;
		for (const [index, node] of [first, second, first].entries())
			expect(await subscribe(node, `test://${index}`)).toBe(undefined);
		for (const node of [first, second]) expect(await subscribe(node, 'test://3')).toMatch(/subscribed to 3 resources/);
		expect(await subscribe(second, 'test://1')).toBe(undefined);
		await done(client, 'resources/unsubscribe', { uri: 'test://0' });
		expect(await subscribe(second, 'test://3')).toBe(undefined);
		expect((await first.made[0]?.subscriptions())?.sort()).toEqual(['test://1', 'test://2', 'test://3']);
	});

	it('take a URI of 8,192 characters, and not one more', async () => {
		const rig = await Rig.open(door);
		const client = await rig.session();
		const uri = `test://${'x'.repeat(8_185)}`;
		await done(client, 'resources/subscribe', { uri });
		const answer = await client.request('resources/subscribe', { uri: `${uri}x` });
		expect((await answer.json()).error).toMatchObject({ code: -32602 });
		expect(await rig.made[0]?.subscriptions()).toEqual([uri]);
	});

	it('reach who asked, and only them', async () => {
		const rig = await Rig.open(door);
		const clients = [await rig.session(), await rig.session(), await rig.session()] as const;
		const streams = [await clients[0].get(), await clients[1].get(), await clients[2].get()] as const;
		await done(clients[0], 'resources/subscribe', a);
		await done(clients[1], 'resources/subscribe', b);
		for (const { uri } of [a, b]) await rig.transport.notify.resourceUpdated(uri);
		await rig.transport.notify.promptsChanged();
		const told: string[][] = [];
		for (const stream of streams) {
			await stream.find(({ method }) => method === 'notifications/prompts/list_changed');
			told.push(stream.messages.flatMap(({ message }) => message.params?.uri ?? []));
		}
		expect(told).toEqual([[a.uri], [b.uri], []]);
	});

	it('are to exactly one URI', async () => {
		const rig = await Rig.open(door);
		const client = await rig.session();
		const stream = await client.get();
		await done(client, 'resources/subscribe', a);
		for (const uri of ['file:///', 'file:///a/', 'file:///a/b', 'file:///A', 'file:///a?x', '']) {
			await rig.transport.notify.resourceUpdated(uri);
		}
		expect(await toldOf(rig, stream)).toEqual([]);
	});

	it('twice to one resource are one', async () => {
		const rig = await Rig.open(door);
		const client = await rig.session();
		const stream = await client.get();
		for (let time = 0; time < 2; time++) await done(client, 'resources/subscribe', a);
		await rig.transport.notify.resourceUpdated(a.uri);
		expect(await toldOf(rig, stream)).toEqual([a.uri]);
		await done(client, 'resources/unsubscribe', a);
		expect(await rig.made[0]?.subscriptions()).toEqual([]);
	});

	it('reach a client that is away when it returns', async () => {
		const rig = await Rig.open(door);
		const client = await rig.session();
		await done(client, 'resources/subscribe', a);
		await rig.transport.notify.resourceUpdated(a.uri);
		expect((await (await client.get()).message(0)).params).toEqual(a);
	});

	it('are over with their session, and leave nothing behind', async () => {
		const clock = new ManualClock(1_000_000);
		const info = new InMemoryInfoSessionManager({ clock });
		const rig = await Rig.open(door, { clock, sessionManager: { info } });
		const client = await rig.session();
		const stream = await client.get();
		for (const params of [a, b]) await done(client, 'resources/subscribe', params);
		expect(info.stats()).toMatchObject({ sessions: 1, subscriptions: 2 });
		await client.delete();
		await stream.ended();
		await rig.transport.notify.resourceUpdated(a.uri);
		expect(stream.messages).toEqual([]);
		expect(info.stats()).toMatchObject({ sessions: 0, subscriptions: 0 });
		expect(rig.errors).toEqual([]);
	});

	it('that the server refuses are not recorded', async () => {
		const rig = await Rig.open(door, {
			createServer: () => {
				const server = new V1Server({ name: 'x', version: '1' }, { capabilities: { resources: { subscribe: true } } });
				server.setRequestHandler(SubscribeRequestSchema, () => {
					throw new Error('not for you');
				});
				return server;
			},
		});
		const client = await rig.session();
		const answer = await client.request('resources/subscribe', a);
		expect(await answer.json()).toMatchObject({ error: { message: 'not for you' } });
		expect(await rig.made[0]?.subscriptions()).toEqual([]);
	});

	it.each(sdks)('to a $name that does not offer them are refused as it refuses them', async (sdk) => {
		const rig = await Rig.open(door, { sdk, capabilities: { tools: {}, resources: {} } });
		const client = await rig.session();
		const answer = await client.request('resources/subscribe', a);
		expect(await answer.json()).toMatchObject({ error: { code: -32601 } });
		expect(await rig.made[0]?.subscriptions()).toEqual([]);
	});

	it.each([undefined, {}, { uri: 5 }, { uri: null }])('need a URI: %j', async (params) => {
		const rig = await Rig.open(door);
		const client = await rig.session();
		const answer = await client.request('resources/subscribe', params);
		expect(await answer.json()).toMatchObject({ error: { code: -32602 } });
		expect(await rig.made[0]?.subscriptions()).toEqual([]);
	});
});

describe.each(doors)('changes of lists, through $name', (door) => {
	it('reach every session', async () => {
		const rig = await Rig.open(door);
		const streams = [await (await rig.session()).get(), await (await rig.session()).get()];
		await rig.transport.notify.toolsChanged();
		await rig.transport.notify.promptsChanged();
		await rig.transport.notify.resourcesChanged();
		for (const stream of streams) {
			await stream.message(2);
			expect(stream.messages.map(({ message }) => message)).toEqual(
				['tools', 'prompts', 'resources'].map((kind) => ({
					jsonrpc: '2.0',
					method: `notifications/${kind}/list_changed`,
				})),
			);
		}
	});

	it('reach a client that is away when it returns', async () => {
		const rig = await Rig.open(door);
		const client = await rig.session();
		const first = await client.get();
		await first.event(0);
		first.drop();
		await rig.transport.notify.toolsChanged();
		const second = await client.get(first.lastEventId);
		expect((await second.message(0)).method).toBe('notifications/tools/list_changed');
	});

	it('reach a session that opens its stream only later', async () => {
		const rig = await Rig.open(door);
		const client = await rig.session();
		rig.clock.advance(1);
		await rig.transport.notify.toolsChanged();
		const stream = await client.get();
		expect((await stream.message(0)).method).toBe('notifications/tools/list_changed');
	});

	it('of before a session are not told to it', async () => {
		const rig = await Rig.open(door);
		await rig.session();
		await rig.transport.notify.toolsChanged();
		const stream = await (await rig.session()).get();
		await rig.transport.notify.promptsChanged();
		expect((await stream.message(0)).method).toBe('notifications/prompts/list_changed');
	});
});
