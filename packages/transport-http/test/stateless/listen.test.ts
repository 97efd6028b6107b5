import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
	InMemoryInfoSessionManager,
	InMemoryStreamSessionManager,
	SessionManagerError,
} from '@holdfast/session-manager';
import type { StreamController, StreamCreateOptions } from '@holdfast/session-manager/custom';
import { ManualClock } from '@holdfast/session-manager/testing';
import { HttpTransport, shutdown } from '@holdfast/transport-http';
import { describe, expect, it } from 'vitest';
import type { Loose, WireResponse } from '../../../../test/support/clients/wire-response.ts';
import { type Door, doors, handleDoor } from '../../../../test/support/doors.ts';
import { eventually } from '../../../../test/support/eventually.ts';
import { Rig, type RigOptions } from '../../../../test/support/rig.ts';
import { v2McpServer } from '../../../../test/support/servers.ts';
import { ask, statelessHeaders, statelessMessage } from '../../../../test/support/stateless-request.ts';

const lists = { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true };
const note = 'note://a';

/** An in-memory manager that counts what is published, and loses events when it is told to. */
class WatchedStreams extends InMemoryStreamSessionManager {
	published = 0;
	isDown = false;
	readonly gaps: (() => unknown)[] = [];

	override send(ids: readonly string[] | undefined, data: string) {
		if (data.includes('notifications/')) this.published++;
		return super.send(ids, data);
	}

	override create(id: string, controller: StreamController, options: StreamCreateOptions = {}) {
		if (this.isDown) throw new SessionManagerError('unavailable', 'The store is away.');
		if (options.ongap !== undefined && id.includes('changes')) this.gaps.push(options.ongap);
		return super.create(id, controller, options);
	}
}

async function openNodes(door: Door, options: RigOptions = {}) {
	const clock = new ManualClock(1_000_000);
	const streams = new WatchedStreams({ clock });
	const sessionManager = { streams, info: new InMemoryInfoSessionManager({ clock }) };
	const open = () => Rig.open(door, { sdk: v2McpServer, stateless: {}, ...options, clock, sessionManager });
	return { a: await open(), b: await open(), clock, streams };
}

const listen = (rig: Rig, notifications: Loose, id: unknown = 'sub', headers = {}) =>
	ask(rig, statelessMessage('subscriptions/listen', { notifications }, {}, id), headers);

const methodsOf = (stream: WireResponse) =>
	stream.messages.map(({ message }) => message.method?.replace('notifications/', '') ?? 'result');
const idOf = (message: Loose) => (message.params ?? message.result)._meta['io.modelcontextprotocol/subscriptionId'];

describe.each(doors)('subscriptions/listen, through $name', (door) => {
	it('is acknowledged first, and hears what any node tells of, under its id', async () => {
		const { a, b } = await openNodes(door);
		const stream = await listen(a, { ...lists, resourceSubscriptions: [note] }, 7);
		expect([stream.status, stream.isStream, stream.headers.get('x-accel-buffering')]).toEqual([200, true, 'no']);
		expect(await stream.message(0)).toMatchObject({
			method: 'notifications/subscriptions/acknowledged',
			params: { notifications: { ...lists, resourceSubscriptions: [note] } },
		});
		await b.transport.notify.toolsChanged();
		await a.transport.notify.promptsChanged();
		await b.transport.notify.resourcesChanged();
		await b.transport.notify.resourceUpdated('note://other');
		await b.transport.notify.resourceUpdated(note);
		expect((await stream.message(4)).params).toEqual({
			uri: note,
			_meta: { 'io.modelcontextprotocol/subscriptionId': 7 },
		});
		expect(methodsOf(stream).slice(1)).toEqual([
			'tools/list_changed',
			'prompts/list_changed',
			'resources/list_changed',
			'resources/updated',
		]);
		expect(stream.messages.map(({ message, eventId }) => [idOf(message), eventId])).toEqual(
			Array.from({ length: 5 }, () => [7, undefined]),
		);
	});

	it('hears only what it asked for; two clients may use one id', async () => {
		const { a, b } = await openNodes(door);
		const tools = await listen(a, { toolsListChanged: true, promptsListChanged: false }, 1);
		const updates = await listen(b, { resourceSubscriptions: [note, note] }, 1);
		await a.transport.notify.promptsChanged();
		await a.transport.notify.toolsChanged();
		await b.transport.notify.resourceUpdated(note);
		await tools.message(1);
		await updates.message(1);
		expect(methodsOf(tools)).toEqual(['subscriptions/acknowledged', 'tools/list_changed']);
		expect(methodsOf(updates)).toEqual(['subscriptions/acknowledged', 'resources/updated']);
		expect((await updates.message(0)).params.notifications).toEqual({ resourceSubscriptions: [note] });
	});

	it('one publish tells of a change: to sessions, and to the streams of every node', async () => {
		const { a, b, streams } = await openNodes(door);
		const client = await a.session();
		const session = await client.get();
		await session.event(0);
		const others = await Promise.all(
			[a, b, b].map((rig, id) => listen(rig, { ...lists, resourceSubscriptions: [note] }, id)),
		);
		await a.transport.notify.toolsChanged();
		await b.transport.notify.resourceUpdated(note);
		await Promise.all(others.map((stream) => stream.message(2)));
		await session.find(({ method }) => method === 'notifications/tools/list_changed');
		expect(streams.published).toBe(2);
	});

	it('acknowledges what the server declares, and ends at once where that is nothing', async () => {
		const { a } = await openNodes(door, {
			capabilities: { tools: { listChanged: false }, resources: { subscribe: true } },
		});
		const some = await listen(a, { toolsListChanged: true, resourceSubscriptions: [note] });
		expect((await some.message(0)).params.notifications).toEqual({ resourceSubscriptions: [note] });
		for (const nothing of [{}, { toolsListChanged: true }, { toolsListChanged: false }, { taskIds: ['t'] }]) {
			const stream = await listen(a, nothing, 'none');
			await stream.ended();
			expect(methodsOf(stream)).toEqual(['subscriptions/acknowledged', 'result']);
			expect(stream.messages.map(({ message }) => idOf(message))).toEqual(['none', 'none']);
			expect((await stream.message(1)).result.resultType).toBe('complete');
		}
	});

	it.each([
		['no notifications', undefined],
		['a list', []],
		['a flag that is no boolean', { toolsListChanged: 'yes' }],
		['URIs that are no list', { resourceSubscriptions: note }],
		['a URI that is no text', { resourceSubscriptions: [7] }],
		['a URI that is too long', { resourceSubscriptions: ['x'.repeat(8_193)] }],
		['a lone surrogate', { resourceSubscriptions: ['\ud800'] }],
		['too many URIs', { resourceSubscriptions: Array.from({ length: 4 }, (_, n) => `note://${n}`) }],
	])('a filter with %s is an error in a response of 200', async (_what, notifications) => {
		const { a } = await openNodes(door, { maxSubscriptions: 3 });
		const answer = await listen(a, notifications);
		expect([answer.status, (await answer.json()).error?.code]).toEqual([200, -32602]);
		expect(a.transport.stats()).toMatchObject({ connections: 0, requestsInFlight: 0 });
	});

	it('an id that is too long is refused, because it is kept', async () => {
		const { a } = await openNodes(door);
		expect((await (await listen(a, lists, 'x'.repeat(257))).json()).error?.code).toBe(-32602);
	});

	it('one principal has so many streams, and a node so many in all; a refusal carries the id', async () => {
		const { a } = await openNodes(door, {
			maxStreamsPerSession: 2,
			maxStreams: 3,
			authenticate: ({ header }) => {
				const sub = header('authorization') ?? 'nobody';
				return { token: sub, clientId: 'c', scopes: [], extra: { sub } };
			},
		});
		const as = (authorization: string) => listen(a, lists, 'mine', { authorization });
		const streams = [await as('ann'), await as('ann')];
		const third = await as('ann');
		expect([third.status, (await third.json()).id]).toEqual([429, 'mine']);
		streams.push(await as('bob'));
		const fourth = await as('carl');
		expect([fourth.status, (await fourth.json()).id]).toEqual([503, 'mine']);
		for (const stream of streams) stream.drop();
		await eventually(() => a.transport.stats().connections).toBe(0);
		expect((await as('ann')).status).toBe(200);
	});

	it('does not count as a running request, and leaves nothing behind when its client goes', async () => {
		const { a, b, streams } = await openNodes(door);
		const stream = await listen(a, lists);
		await stream.message(0);
		await eventually(() => a.transport.stats()).toMatchObject({ connections: 1, requestsInFlight: 0, bodyBytes: 0 });
		stream.drop();
		await eventually(() => a.transport.stats().connections).toBe(0);
		await b.transport.notify.toolsChanged();
		await a.transport.close();
		await eventually(() => streams.has(' changes')).toBe(false);
		expect([a.errors, b.errors]).toEqual([[], []]);
	});

	it('tells of everything once where the store may have lost something', async () => {
		const { a, streams } = await openNodes(door);
		const stream = await listen(a, { toolsListChanged: true, resourceSubscriptions: [note] });
		await stream.message(0);
		for (const gap of streams.gaps.slice(0, 1)) await gap();
		await stream.message(2);
		expect(methodsOf(stream).slice(1)).toEqual(['tools/list_changed', 'resources/updated']);
	});

	it('is refused with 503 while the store is away, and works again by itself', async () => {
		const { a, b, streams } = await openNodes(door);
		streams.isDown = true;
		const refused = await listen(a, lists);
		expect([refused.status, (await refused.json()).id]).toEqual([503, 'sub']);
		streams.isDown = false;
		const stream = await listen(a, lists);
		await b.transport.notify.toolsChanged();
		expect((await stream.message(1)).method).toBe('notifications/tools/list_changed');
	});

	it.each([
		['while the node has time', { spreadMs: 1_000 }],
		['within the time that the node has', { spreadMs: 60_000, timeoutMs: 1_000 }],
	])('moves to other nodes at drain: it ends without a result, at times that are spread %s', async (_when, options) => {
		const { a, clock } = await openNodes(door);
		const streams = await Promise.all(Array.from({ length: 10 }, (_, id) => listen(a, lists, id)));
		await Promise.all(streams.map((stream) => stream.message(0)));
		const drained = a.transport.drain({ delayMs: 0, ...options });
		await Promise.resolve();
		const counts: number[] = [];
		for (let elapsed = 50; elapsed <= 1_100; elapsed += 50) {
			clock.advance(50);
			counts.push(a.transport.stats().connections);
		}
		expect(counts.slice(0, 4)).toEqual([9, 9, 8, 8]);
		expect(counts[9]).toBe(5);
		await Promise.all(streams.map((stream) => stream.ended()));
		expect(streams.flatMap(methodsOf)).toEqual(streams.map(() => 'subscriptions/acknowledged'));
		await eventually(() => {
			clock.advance(50);
			return a.transport.stats().connections;
		}).toBe(0);
		await drained;
	});

	it('ends with its result when the service ends', async () => {
		const { a } = await openNodes(door);
		const stream = await listen(a, lists);
		await stream.message(0);
		await a.transport.close();
		await stream.ended();
		expect((await stream.message(1)).result).toEqual({
			resultType: 'complete',
			_meta: {
				'io.modelcontextprotocol/subscriptionId': 'sub',
				'io.modelcontextprotocol/serverInfo': { name: 'test-server', version: '1.2.3' },
			},
		});
	});

	it('ends with the token of its sender, without a result', async () => {
		const { a, clock } = await openNodes(door, {
			authenticate: () => ({ token: 't', clientId: 'c', scopes: [], expiresAt: 1_060, extra: { sub: 'ann' } }),
		});
		const stream = await listen(a, lists);
		await stream.message(0);
		clock.advance(59_999);
		expect(stream.over).toBe(false);
		clock.advance(1);
		await stream.ended();
		expect(methodsOf(stream)).toEqual(['subscriptions/acknowledged']);
	});
});

it('what listen streams ask to hear of is limited by what it takes, and room that is left is taken again', async () => {
	const { a } = await openNodes(handleDoor, { maxSubscriptions: 10_000 });
	const resourceSubscriptions = Array.from({ length: 10_000 }, (_, n) => `n:${n}`);
	const streams: WireResponse[] = [];
	let refused = await listen(a, { resourceSubscriptions });
	while (refused.status === 200 && streams.length < 40) {
		streams.push(refused);
		refused = await listen(a, { resourceSubscriptions });
	}
	expect([refused.status, streams.length]).toEqual([503, 26]);
	streams[0]?.drop();
	await eventually(() => a.transport.stats().connections).toBe(25);
	expect((await listen(a, { resourceSubscriptions })).status).toBe(200);
});

it('listen streams move to other nodes also where a shutdown is cut short', async () => {
	const transport = new HttpTransport(() => v2McpServer.make({ tools: {} }, undefined as never), { stateless: {} });
	const server = createServer(transport.handle);
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	const { port } = server.address() as AddressInfo;
	const message = statelessMessage('subscriptions/listen', { notifications: lists });
	const init = { method: 'POST', headers: statelessHeaders(message), body: JSON.stringify(message) };
	const open = () => fetch(`http://127.0.0.1:${port}/mcp`, init);
	const streams = [await open(), await open(), await open()];
	await shutdown(server, [transport], { delayMs: 0, signal: AbortSignal.abort() });
	for (const stream of streams) {
		const received = await stream.text();
		expect([received.includes('subscriptions/acknowledged'), received.includes('"result"')]).toEqual([true, false]);
	}
});
