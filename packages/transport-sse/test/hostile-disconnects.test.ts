import { InMemoryInfoSessionManager, InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { ManualClock } from '@holdfast/session-manager/testing';
import { describe, expect, test } from 'vitest';
import { BusyTools } from '../../../test/hostile/busy-rig.ts';
import { CountingDoor } from '../../../test/hostile/counting-door.ts';
import {
	atTheAnswer,
	cutAt,
	type Leaving,
	type Moment,
	toWire,
	type Wire,
	whileSending,
} from '../../../test/hostile/cut-socket.ts';
import type { SseClient } from '../../../test/support/clients/sse-client.ts';
import { initializeMessage } from '../../../test/support/rig.ts';
import { sdks } from '../../../test/support/servers.ts';
import { SseRig } from './support/sse-rig.ts';

const often = { interval: 5, timeout: 5_000 };
const nothing = {
	transport: { sessions: 0, liveServers: 0, requestsInFlight: 0, requestsWaiting: 0, connections: 0, bodyBytes: 0 },
	// What is left are the node's own address and that of every node.
	streams: { streams: 0, listeners: 2, sessions: 0, events: 0 },
	info: { sessions: 0, records: 0, subscriptions: 0, stateValues: 0, leases: 0, bytes: 0 },
	toolsAtWork: 0,
};

const headers = { 'content-type': 'application/json' };

interface Exchange {
	readonly what: string;
	readonly moments: readonly Moment[];
	/** The request; `client` has a stream of its own, and a session. */
	wire(client: SseClient): Wire;
}

const call = (client: SseClient, name: string): Wire => {
	const params = { name, arguments: { text: 'x'.repeat(100) }, _meta: { progressToken: 'token' } };
	return toWire('POST', headers, { jsonrpc: '2.0', id: 'cut', method: 'tools/call', params }, client.endpoint);
};

const exchanges: readonly Exchange[] = [
	{
		what: 'a stream',
		moments: [...whileSending, atTheAnswer, { when: 'at the endpoint', received: /^event: endpoint/m }],
		wire: () => toWire('GET', { accept: 'text/event-stream' }, undefined, '/sse'),
	},
	{ what: 'a quick call', moments: [...whileSending, atTheAnswer], wire: (client) => call(client, 'echo') },
	{ what: 'a call that talks', moments: [...whileSending, atTheAnswer], wire: (client) => call(client, 'talk') },
	{ what: 'a call that asks', moments: [...whileSending, atTheAnswer], wire: (client) => call(client, 'ask') },
	{
		what: 'a second initialize',
		moments: [...whileSending, atTheAnswer],
		wire: (client) => toWire('POST', headers, initializeMessage(), client.endpoint),
	},
	{
		what: 'a stream that waits behind a call in a pipeline',
		moments: [{ when: 'after the last byte', sent: ({ head }) => head.length }],
		wire(client) {
			const first = call(client, 'wait');
			return { head: first.head + first.body + toWire('GET', {}, undefined, '/sse').head, body: '' };
		},
	},
];

describe.each(sdks)('with servers of $name', (sdk) => {
	describe.each(exchanges.map((exchange) => [exchange.what, exchange] as const))('%s', (_, { moments, wire }) => {
		test.each<Leaving>(['closes', 'resets', 'half-closes'])(
			'leaves nothing behind, whenever its client %s the connection, and the stream after it',
			async (leaving) => {
				const clock = new ManualClock(1_000_000);
				const streams = new InMemoryStreamSessionManager({ clock });
				const info = new InMemoryInfoSessionManager({ clock });
				const tools = new BusyTools();
				const door = new CountingDoor();
				const rig = await SseRig.open(door, {
					sdk,
					tools: tools.byName,
					clock,
					sessionManager: { streams, info },
					keepAliveMs: 0,
				});
				const clients = await Promise.all(
					moments.map(async (moment) => {
						const client = await rig.session({ capabilities: { elicitation: {} } });
						await cutAt(door.port, wire(client), moment, leaving, async () => {});
						return client;
					}),
				);
				for (const { stream } of clients) stream.drop();
				await expect.poll(() => [rig.transport.stats().connections, streams.stats().streams], often).toEqual([0, 0]);
				// Calls that came to the node before it heard that their client left run until the grace is over.
				await rig.advance(60_000);
				const held = () => ({
					transport: rig.transport.stats(),
					streams: streams.stats(),
					info: info.stats(),
					toolsAtWork: tools.atWork,
				});
				const settled = async () => {
					await rig.advance(1_000);
					return held();
				};
				await expect.poll(settled, often).toEqual(nothing);
				expect(rig.errors).toEqual([]);
				door.leave();
				await expect.poll(() => door.count(), often).toBe(0);
			},
		);
	});
});

test('1,000 sessions that come and go leave nothing behind', { timeout: 60_000 }, async () => {
	const clock = new ManualClock(1_000_000);
	const streams = new InMemoryStreamSessionManager({ clock });
	const info = new InMemoryInfoSessionManager({ clock });
	const door = new CountingDoor();
	const rig = await SseRig.open(door, { clock, sessionManager: { streams, info } });
	for (let round = 0; round < 20; round++) {
		const clients = await Promise.all(Array.from({ length: 50 }, () => rig.session()));
		for (const answer of await Promise.all(clients.map((client) => client.ask('log', { count: 1 })))) {
			expect(answer).toBe('logged');
		}
		for (const { stream } of clients) stream.drop();
		await expect.poll(() => rig.transport.stats().connections, often).toBe(0);
		await rig.advance(60_000);
	}
	expect({ transport: rig.transport.stats(), streams: streams.stats(), info: info.stats() }).toEqual({
		transport: nothing.transport,
		streams: nothing.streams,
		info: nothing.info,
	});
	expect(rig.errors).toEqual([]);
});
