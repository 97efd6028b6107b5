import { InMemoryInfoSessionManager, InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { ManualClock } from '@holdfast/session-manager/testing';
import { expect, test } from 'vitest';
import { BusyTools } from '../../../test/hostile/busy-rig.ts';
import type { SseClient } from '../../../test/support/clients/sse-client.ts';
import { within } from '../../../test/support/deadline.ts';
import { doors, toRequest, type WireRequest } from '../../../test/support/doors.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { sdks } from '../../../test/support/servers.ts';
import { SseRig } from './support/sse-rig.ts';

const respond = doors.filter(({ name }) => name === 'respond');

/** How a fetch runtime tells that its client has gone. */
const tellings = ['aborts the request', 'cancels the body', 'does both'] as const;

const stream: WireRequest = { method: 'GET', path: '/sse', headers: { accept: 'text/event-stream' } };

function call({ endpoint }: SseClient, name: string): WireRequest {
	const message = {
		jsonrpc: '2.0',
		id: `cut ${name}`,
		method: 'tools/call',
		params: { name, arguments: { text: 'x' } },
	};
	return { path: endpoint, headers: { 'content-type': 'application/json' }, body: JSON.stringify(message) };
}

test.each(respond.flatMap((door) => sdks.flatMap((sdk) => tellings.map((telling) => ({ door, sdk, telling })))))(
	'clients of $sdk.name that go, of which the runtime $telling, leave nothing behind',
	async ({ door, sdk, telling }) => {
		const clock = new ManualClock(1_000_000);
		const streams = new InMemoryStreamSessionManager({ clock });
		const info = new InMemoryInfoSessionManager({ clock });
		const tools = new BusyTools();
		const rig = await SseRig.open(door, { sdk, tools: tools.byName, clock, sessionManager: { streams, info } });
		const client = await rig.session({ capabilities: { elicitation: {} } });
		const answers: Promise<Response | null>[] = [];

		/** Sends a request whose client goes at once, or when the head of the response is there. */
		async function leave(wire: WireRequest, moment: 'at once' | 'at the head' | 'at the first event'): Promise<void> {
			const gone = new AbortController();
			if (moment === 'at once') gone.abort();
			const answer = rig.transport.respond(toRequest(rig.door.origin, wire, gone.signal));
			answers.push(answer);
			if (moment === 'at once') return;
			const reader = (await within(answer, 'the head'))?.body?.getReader();
			if (moment === 'at the first event') await reader?.read();
			if (telling !== 'cancels the body') gone.abort();
			if (telling !== 'aborts the request') await reader?.cancel();
		}

		for (const moment of ['at once', 'at the head', 'at the first event'] as const) await leave(stream, moment);
		// Calls run on when whoever POSTed them has gone: their responses go on the stream.
		for (const name of ['echo', 'talk', 'ask']) await leave(call(client, name), 'at the head');
		for (const name of ['echo', 'talk', 'ask']) await leave(call(client, name), 'at once');
		await within(Promise.all(answers), 'the answers');
		expect(client.stream.over).toBe(false);
		client.stream.drop();
		await eventually(() => [rig.transport.stats().connections, streams.stats().streams]).toEqual([0, 0]);
		await rig.advance(60_000);
		await eventually(async () => {
			await rig.advance(1_000);
			return { ...rig.transport.stats(), ...info.stats(), toolsAtWork: tools.atWork };
		}).toEqual({
			sessions: 0,
			leases: 0,
			liveServers: 0,
			requestsInFlight: 0,
			requestsWaiting: 0,
			connections: 0,
			records: 0,
			subscriptions: 0,
			stateValues: 0,
			bytes: 0,
			bodyBytes: 0,
			toolsAtWork: 0,
		});
		expect(rig.errors).toEqual([]);
	},
);
