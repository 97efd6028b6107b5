import { describe, expect, test } from 'vitest';
import { BusyRig } from '../../../test/hostile/busy-rig.ts';
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
import { initializeMessage, postHeaders, type TestClient } from '../../../test/support/rig.ts';
import { sdks } from '../../../test/support/servers.ts';

const atTheFirstEvent: Moment = { when: 'at the first event', received: /^id: /m };
const atWork: Moment = { when: 'while the server works', atWork: true };

interface Exchange {
	readonly what: string;
	readonly moments: readonly Moment[];
	/** The request, in a session of `client`. */
	wire(client: TestClient): Wire | Promise<Wire>;
}

function post(client: TestClient, message: object): Wire {
	return toWire('POST', { ...postHeaders, ...client.headers }, message);
}

function call(client: TestClient, name: string): Wire {
	const params = { name, arguments: { text: 'x'.repeat(100) }, _meta: { progressToken: 'token' } };
	return post(client, { jsonrpc: '2.0', id: 'cut', method: 'tools/call', params });
}

function get(client: TestClient, lastEventId?: string): Wire {
	const resume = lastEventId === undefined ? {} : { 'last-event-id': lastEventId };
	return toWire('GET', { accept: 'text/event-stream', ...client.headers, ...resume });
}

/** Calls a tool that talks, reads two of its messages and drops the connection. */
async function dropTalk(client: TestClient, tool: string): Promise<string | undefined> {
	const answer = tool === 'talk' ? await client.call(tool) : await client.get();
	if (tool !== 'talk') client.call(tool).catch(() => {});
	const { eventId } = await answer.sseMessage(1);
	answer.drop();
	return eventId;
}

const exchanges: readonly Exchange[] = [
	{
		what: 'a quick call',
		moments: [...whileSending, atTheAnswer],
		wire: (client) => call(client, 'echo'),
	},
	{
		what: 'a call that will be answered as JSON, later',
		moments: [...whileSending, atWork],
		wire: (client) => call(client, 'wait'),
	},
	{
		what: 'a call that talks all the time',
		moments: [...whileSending, atWork, atTheAnswer, atTheFirstEvent, { when: 'mid-stream', received: /"n":9\b/ }],
		wire: (client) => call(client, 'talk'),
	},
	{
		what: 'a call that asks on its own stream',
		moments: [...whileSending, atWork, atTheFirstEvent, { when: 'at the question', received: /elicitation\/create/ }],
		wire: (client) => call(client, 'ask'),
	},
	{
		what: 'a call that asks on the session stream',
		moments: [...whileSending, atWork],
		wire: (client) => call(client, 'askOutside'),
	},
	{
		what: 'a notification',
		moments: [...whileSending, atTheAnswer],
		wire: (client) => post(client, { jsonrpc: '2.0', method: 'notifications/roots/list_changed', params: {} }),
	},
	{
		what: 'the answer to a question',
		moments: [...whileSending, atTheAnswer],
		async wire(client) {
			const answer = await client.call('ask');
			const asked = await answer.message(0);
			answer.drop();
			return post(client, { jsonrpc: '2.0', id: asked.id, result: { action: 'decline' } });
		},
	},
	{
		what: 'a session stream',
		moments: [...whileSending, atTheAnswer, atTheFirstEvent],
		wire: (client) => get(client),
	},
	{
		what: 'a session stream that is being written to',
		moments: [...whileSending, atTheFirstEvent, { when: 'mid-stream', received: /"n":9\b/ }],
		wire(client) {
			client.call('talkOutside').catch(() => {});
			return get(client);
		},
	},
	{
		what: 'a session stream that resumes',
		moments: [...whileSending, atTheAnswer, { when: 'mid-stream', received: /"n":9\b/ }],
		wire: async (client) => get(client, await dropTalk(client, 'talkOutside')),
	},
	{
		what: 'the stream of a call that resumes',
		moments: [...whileSending, atTheAnswer, { when: 'mid-stream', received: /"n":9\b/ }],
		wire: async (client) => get(client, await dropTalk(client, 'talk')),
	},
	{
		what: 'a session stream that waits behind a call in a pipeline',
		moments: [{ when: 'after the last byte', sent: ({ head }) => head.length }, atWork],
		wire(client) {
			const first = call(client, 'wait');
			return { head: first.head + first.body + get(client).head, body: '' };
		},
	},
	{
		what: 'DELETE',
		moments: [...whileSending, atTheAnswer],
		wire: (client) => toWire('DELETE', client.headers),
	},
	{
		what: 'DELETE while a call talks',
		moments: [...whileSending, atTheAnswer],
		async wire(client) {
			await dropTalk(client, 'talk');
			return toWire('DELETE', client.headers);
		},
	},
];

describe.each(sdks)('with servers of $name', (sdk) => {
	describe.each(exchanges.map((exchange) => [exchange.what, exchange] as const))('%s', (_, { moments, wire }) => {
		test.each<Leaving>(['closes', 'resets', 'half-closes'])(
			'leaves nothing behind, whenever its client %s the connection',
			async (leaving) => {
				const door = new CountingDoor();
				const busy = await BusyRig.open(door, sdk);
				const clients = await Promise.all(
					moments.map(async (moment) => {
						const client = await busy.rig.session({ capabilities: { elicitation: {} } });
						const request = await wire(client);
						await cutAt(door.port, request, moment, leaving, () => busy.workIn(client.id));
						return client;
					}),
				);
				await busy.expectNoConnection();
				for (const client of clients) expect([200, 404]).toContain((await client.delete()).status);
				await busy.expectNothing();
				door.leave();
				await expect.poll(() => door.count(), { interval: 5, timeout: 5_000 }).toBe(0);
			},
		);
	});

	test.each<Leaving>(['closes', 'resets', 'half-closes'])(
		'initialize leaves nothing behind once its session expired, whenever its client %s the connection',
		async (leaving) => {
			const door = new CountingDoor();
			const busy = await BusyRig.open(door, sdk);
			for (const moment of [...whileSending, atTheAnswer]) {
				await cutAt(door.port, toWire('POST', postHeaders, initializeMessage()), moment, leaving, async () => {});
			}
			await busy.expectNoConnection();
			busy.expireAll();
			await busy.expectNothing();
			await expect.poll(() => door.count(), { interval: 5, timeout: 5_000 }).toBe(0);
		},
	);
});
