import { describe, expect, test } from 'vitest';
import { BusyRig } from '../../../test/hostile/busy-rig.ts';
import { within } from '../../../test/support/deadline.ts';
import { type Door, doors, toRequest, type WireRequest } from '../../../test/support/doors.ts';
import { initializeMessage, postHeaders, type TestClient } from '../../../test/support/rig.ts';
import { sdks } from '../../../test/support/servers.ts';

const respondDoor = doors.find(({ name }) => name === 'respond') as Door;

/** How a fetch runtime tells that its client has gone. */
type Telling = 'aborts the request' | 'cancels the body' | 'does both';

/** When the client goes: before its request is served, in its body, at work, or once it received so much. */
type Moment = 'at once' | 'within its body' | 'while the server works' | 'at the head' | RegExp;

interface Exchange {
	readonly what: string;
	readonly moments: readonly Moment[];
	request(client: TestClient): WireRequest | Promise<WireRequest>;
}

function post(client: TestClient, message: object): WireRequest {
	return { headers: { ...postHeaders, ...client.headers }, body: JSON.stringify(message) };
}

function call(client: TestClient, name: string): WireRequest {
	const params = { name, arguments: { text: 'x' }, _meta: { progressToken: 'token' } };
	return post(client, { jsonrpc: '2.0', id: 'cut', method: 'tools/call', params });
}

function get(client: TestClient, lastEventId?: string): WireRequest {
	return { method: 'GET', headers: { accept: 'text/event-stream', ...client.headers, 'last-event-id': lastEventId } };
}

const midStream = /"n":9\b/;

const exchanges: readonly Exchange[] = [
	{
		what: 'a quick call',
		moments: ['at once', 'within its body', 'at the head'],
		request: (client) => call(client, 'echo'),
	},
	{
		what: 'a call that will be answered as JSON, later',
		moments: ['at once', 'while the server works'],
		request: (client) => call(client, 'wait'),
	},
	{
		what: 'a call that talks all the time',
		moments: ['at once', 'while the server works', 'at the head', /^id: /m, midStream],
		request: (client) => call(client, 'talk'),
	},
	{
		what: 'a call that asks',
		moments: ['at once', 'while the server works', 'at the head', /elicitation\/create/],
		request: (client) => call(client, 'ask'),
	},
	{
		what: 'a session stream',
		moments: ['at once', 'at the head', /^id: /m],
		request: (client) => get(client),
	},
	{
		what: 'the stream of a call that resumes',
		moments: ['at once', 'at the head', midStream],
		async request(client) {
			const answer = await client.call('talk');
			const { eventId } = await answer.sseMessage(1);
			answer.drop();
			return get(client, eventId);
		},
	},
	{
		what: 'DELETE',
		moments: ['at once', 'at the head'],
		request: (client) => ({ method: 'DELETE', headers: client.headers }),
	},
];

describe.each(sdks)('with servers of $name', (sdk) => {
	describe.each(exchanges.map((exchange) => [exchange.what, exchange] as const))('%s', (_, { moments, request }) => {
		test.each<Telling>(['aborts the request', 'cancels the body', 'does both'])(
			'leaves nothing behind, whenever its client goes and the runtime %s',
			async (telling) => {
				const busy = await BusyRig.open(respondDoor, sdk);
				const gone = await Promise.all(
					moments.map(async (moment) => {
						const client = await busy.rig.session({ capabilities: { elicitation: {} } });
						return { client, ...(await leaveAt(busy, client, await request(client), moment, telling)) };
					}),
				);
				await busy.expectNoConnection();
				for (const { client } of gone) expect([200, 404]).toContain((await client.delete()).status);
				await busy.expectNothing();
				// No runtime is left with a promise that never settles.
				await within(Promise.all(gone.map(({ answer }) => answer)), 'the answers');
			},
		);
	});

	test('initialize leaves nothing behind once its session expired, when its client goes at once', async () => {
		const busy = await BusyRig.open(respondDoor, sdk);
		const wire = { headers: postHeaders, body: JSON.stringify(initializeMessage()) };
		await busy.rig.transport.respond(toRequest(busy.rig.door.origin, wire, AbortSignal.abort()));
		busy.expireAll();
		await busy.expectNothing();
	});
});

/** Has a client go; answers what the runtime got, or still waits for. */
async function leaveAt(
	busy: BusyRig,
	client: TestClient,
	wire: WireRequest,
	moment: Moment,
	telling: Telling,
): Promise<{ readonly answer: Promise<Response | null> }> {
	const gone = new AbortController();
	const whole = toRequest(busy.rig.door.origin, wire, gone.signal);
	const request =
		moment === 'within its body' ? new Request(whole, { body: failing(), duplex: 'half' } as RequestInit) : whole;
	if (moment === 'at once') gone.abort();
	const answer = busy.rig.transport.respond(request);
	if (moment === 'at once' || moment === 'within its body') return { answer };
	if (moment === 'while the server works') {
		await busy.workIn(client.id);
		gone.abort();
		return { answer };
	}
	const response = await within(answer, 'the head');
	const reader = response?.body?.getReader();
	const decoder = new TextDecoder();
	for (let text = ''; moment !== 'at the head' && !moment.test(text); ) {
		const { value } = await within(
			reader?.read() ?? Promise.reject(new Error('No body.')),
			`${moment}; received: ${text}`,
		);
		text += decoder.decode(value, { stream: true });
	}
	if (telling !== 'cancels the body') gone.abort();
	if (telling !== 'aborts the request') await reader?.cancel();
	return { answer };
}

/** A body that breaks off. */
function failing(): ReadableStream<Uint8Array> {
	return new ReadableStream({
		pull(controller) {
			controller.enqueue(new TextEncoder().encode('{"jsonrpc":'));
			controller.error(new Error('The client is gone.'));
		},
	});
}
