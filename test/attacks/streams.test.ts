import { connect, type Socket } from 'node:net';
import { InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { expect, it, onTestFinished } from 'vitest';
import { CountingDoor } from '../hostile/counting-door.ts';
import { toWire } from '../hostile/cut-socket.ts';
import { settle, within } from '../support/deadline.ts';
import { doors, handleDoor } from '../support/doors.ts';
import { gatedTool } from '../support/gated-tool.ts';
import { postHeaders, Rig, type RigOptions, type TestClient, textOf } from '../support/rig.ts';
import { until } from '../support/until.ts';

/** More than any kernel buffers for a connection. */
const LARGE = 14_000_000;

const tools = {
	large: async ({ here }) => {
		await here.log('info', 'a stream, please');
		return 'x'.repeat(LARGE);
	},
} satisfies RigOptions['tools'];

/** A client that sends a call of `large`, and never reads. */
function callWithoutReading(door: CountingDoor, client: TestClient, id: string): Socket {
	const message = { jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'large', arguments: {} } };
	const { head, body } = toWire('POST', { ...postHeaders, ...client.headers }, message);
	const socket = connect(door.port, '127.0.0.1');
	socket.on('error', () => {});
	socket.write(head + body);
	onTestFinished(() => void socket.destroy());
	return socket;
}

it('streams that are not read count until they are destroyed, also when their session has ended', async () => {
	const door = new CountingDoor();
	const rig = await Rig.open(door, { tools, responseMode: 'sse', maxStreams: 5, maxStreamsPerSession: 3 });
	const [client, other] = [await rig.session(), await rig.session()];
	for (let n = 0; n < 3; n++) callWithoutReading(door, client, `unread ${n}`);
	await until(
		'all calls are answered',
		async () => (await door.count()) > 3 && rig.transport.stats().connections === 0,
	);
	await until(
		'the session has too many streams',
		async () => (await client.call('echo', { text: 'hi' })).status === 429,
	);
	expect((await client.get()).status).toBe(429);
	expect(await other.ask('echo', { text: 'hi' })).toBe('hi');

	expect((await client.delete()).status).toBe(200);
	for (let n = 0; n < 2; n++) callWithoutReading(door, other, `unread ${n}`);
	await until('the node has too many streams', async () => (await other.get()).status === 503);
	expect((await other.call('echo', { text: 'hi' })).status).toBe(503);

	// They have 5 s to be read.
	rig.clock.advance(5_000);
	expect(await other.ask('echo', { text: 'hi' })).toBe('hi');
	door.leave();
	await until('every connection is closed', async () => (await door.count()) === 0);
});

it.each(doors)('past the limit a POST is answered as JSON, and loses no response, through $name', async (door) => {
	const gates = Array.from({ length: 4 }, gatedTool);
	const own = Object.fromEntries(gates.map(({ tool }, index) => [`wait${index}`, tool]));
	const rig = await Rig.open(door, { tools: own, maxStreamsPerSession: 2 });
	const client = await rig.session();
	const answers = gates.map((_, index) => client.call(`wait${index}`));
	for (const { arrived } of gates) await arrived.wait();
	rig.clock.advance(200);
	await until('two are streams', () => rig.transport.stats().connections === 2);
	for (const { go } of gates) go.happen('done');
	const all = await Promise.all(answers);
	expect(all.map(({ isStream }) => isStream)).toEqual([true, true, false, false]);
	for (const answer of all) expect(textOf(await answer.answer())).toBe('done');
});

it.each(doors)('past the limit, a client can still take over its own stream, through $name', async (door) => {
	const rig = await Rig.open(door, { maxStreams: 1, maxStreamsPerSession: 1 });
	const client = await rig.session();
	const first = await client.get();
	const second = await client.get();
	expect(second.status).toBe(200);
	await first.ended();
	await rig.transport.notify.toolsChanged();
	expect(await second.message(0)).toMatchObject({ method: 'notifications/tools/list_changed' });
	expect((await (await rig.session()).get()).status).toBe(503);
});

it('a client with 1,000 subscriptions that reads slowly is told to read all of them again', async () => {
	const streams = new InMemoryStreamSessionManager({ history: { maxEvents: 10 } });
	const rig = await Rig.open(handleDoor, { sessionManager: { streams } });
	const client = await rig.session();
	const uris = Array.from({ length: 1_000 }, (_, index) => `file:///${'x'.repeat(2_000)}/${index}`);
	for (const uri of uris) expect((await client.request('resources/subscribe', { uri })).status).toBe(200);
	const first = await client.get();
	await rig.transport.notify.toolsChanged();
	await first.message(0);
	const { lastEventId = '' } = first;
	first.drop();
	await until('the client is gone', () => rig.transport.stats().connections === 0);
	for (let n = 0; n < 20; n++) await rig.transport.notify.toolsChanged();

	const headers = { host: '127.0.0.1', accept: 'text/event-stream', ...client.headers, 'last-event-id': lastEventId };
	const response = await rig.transport.respond(new Request(`${rig.door.origin}/mcp`, { headers }));
	const reader = response?.body?.pipeThrough(new TextDecoderStream()).getReader();
	let text = '';
	const readSlowly = async () => {
		for (let reads = 0; !text.endsWith('/999"}}\n\n'); reads++) {
			// It does something else for a while.
			if (reads % 20 === 0) await settle();
			const chunk = await reader?.read();
			if (chunk?.value === undefined) throw new Error('The stream ended.');
			text += chunk.value;
		}
	};
	await within(readSlowly(), 'all notices', 25_000);
	for (const uri of uris) if (!text.includes(`"${uri}"`)) throw new Error(`Nothing of ${uri.slice(-5)}`);
	await reader?.cancel();
});
