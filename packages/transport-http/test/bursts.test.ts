import { once } from 'node:events';
import { connect } from 'node:net';
import { InMemoryInfoSessionManager, InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { systemClock } from '@holdfast/session-manager/custom';
import { ManualClock } from '@holdfast/session-manager/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connectOfficial } from '../../../test/support/clients/official-client.ts';
import { Happening, settle, within } from '../../../test/support/deadline.ts';
import { handleDoor } from '../../../test/support/doors.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { LATEST, postHeaders, Rig, type RigOptions } from '../../../test/support/rig.ts';
import { type Peer, type Tool, v1McpServer, v2McpServer } from '../../../test/support/servers.ts';
import { statelessHeaders, statelessMessage } from '../../../test/support/stateless-request.ts';

const BURST = 8_000;
const MEBIBYTE = 1024 * 1024;
const LARGE = 1.25 * MEBIBYTE;

const row = (n: number) => `row ${n} `.padEnd(100, 'x');

/** What a tool sends in one turn of the event loop before its result, through `peer`. */
const bursts: Readonly<Record<string, { readonly count: number; send(peer: Peer): Promise<void> | void }>> = {
	'8,000 notifications, each awaited': {
		count: BURST,
		async send(peer) {
			for (let n = 0; n < BURST; n++) await peer.log('info', row(n));
		},
	},
	'8,000 notifications, none awaited': {
		count: BURST,
		send(peer) {
			for (let n = 0; n < BURST; n++) void peer.log('info', row(n));
		},
	},
	'a notification of more than 1 MiB': {
		count: 1,
		async send(peer) {
			await peer.log('info', 'x'.repeat(LARGE));
		},
	},
};

const toolsOf = (send: (peer: Peer) => Promise<void> | void): Record<string, Tool> => ({
	async here({ here }) {
		await send(here);
		return 'done';
	},
	async outside({ outside }) {
		await send(outside);
		return 'done';
	},
});

const sdks = { v1: v1McpServer, v2: v2McpServer } as const;

/** Has a tool send a burst to the official client of one SDK, which must receive all of it in order, and the result. */
async function receives(
	client: 'v1' | 'v2',
	name: string,
	tool: 'here' | 'outside',
	options: RigOptions = {},
): Promise<void> {
	const { count, send } = bursts[name] ?? { count: 0, send() {} };
	const { door, errors, transport } = await Rig.open(handleDoor, {
		...options,
		sdk: sdks[client],
		clock: systemClock,
		tools: toolsOf(send),
	});
	const mode = options.stateless === undefined ? 'legacy' : 'auto';
	const connected = await connectOfficial(client, door.origin, {}, 'http', mode);
	if (tool === 'outside') await eventually(() => transport.stats().connections).toBe(1);
	expect(await within(connected.call(tool, {}, { logLevel: 'info' }), 'the result', 30_000)).toBe('done');
	await connected.heard.count(count, 'notification');
	const data = connected.heard.items.map(({ params }) => params?.['data']);
	if (count === BURST) expect(data).toEqual(Array.from({ length: BURST }, (_, n) => row(n)));
	else expect(data.map((text) => String(text).length)).toEqual([LARGE]);
	expect(errors).toEqual([]);
}

describe.each(['v1', 'v2'] as const)('a burst of one turn to the official client of %s', (client) => {
	it.each(Object.keys(bursts))('arrives on the stream of its call, and the result does: %s', (name) =>
		receives(client, name, 'here'),
	);

	it.each(Object.keys(bursts))("arrives with sessions: 'off', and the result does: %s", (name) =>
		receives(client, name, 'here', { sessions: 'off' }),
	);

	it.each(Object.keys(bursts))('arrives on the session stream: %s', (name) => receives(client, name, 'outside'));
});

it.each(Object.keys(bursts))('a burst of one turn arrives in a call of 2026-07-28, and the result does: %s', (name) =>
	receives('v2', name, 'here', { stateless: {} }),
);

/** Calls the tool `flood`, and reads what comes only when it is told to. */
async function callUnread(rig: Rig, kind: 'sessions' | 'off' | 'stateless') {
	const { hostname, port } = new URL(rig.door.origin);
	const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'flood', arguments: {} } };
	const message = kind === 'stateless' ? statelessMessage(call.method, call.params, { logLevel: 'info' }) : call;
	const body = JSON.stringify(message);
	const headers = {
		...(kind === 'stateless' ? statelessHeaders(message) : { ...postHeaders, 'mcp-protocol-version': LATEST }),
		...(kind === 'sessions' && { 'mcp-session-id': (await rig.session()).id }),
		host: hostname,
		connection: 'close',
		'content-length': String(body.length),
	};
	const socket = connect(Number(port), hostname).pause();
	onTestFinished(() => void socket.destroy());
	socket.on('error', () => {});
	const lines = Object.entries(headers).map((header) => header.join(': '));
	socket.write(`POST /mcp HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body}`);
	return {
		/** Returns all that arrives, in bytes, and how it begins and ends. */
		async read(): Promise<{ bytes: number; start: string; end: string }> {
			let [bytes, start, end] = [0, '', ''];
			socket.on('data', (chunk: Buffer) => {
				bytes += chunk.byteLength;
				const text = chunk.toString('latin1');
				if (start.length < 10_000) start += text;
				end = (end + text).slice(-1_000);
			});
			const closed = once(socket, 'close');
			socket.resume();
			await within(closed, 'the end of the connection');
			return { bytes, start, end };
		},
	};
}

const text = 'x'.repeat(MEBIBYTE / 4);

it.each([
	['of 2025-11-25', 'legacy', { sessions: 'off' }],
	['of 2026-07-28', 'auto', { stateless: {} }],
] as const)(
	'a client without a session, %s, gets the result however much a tool did not await',
	async (_, mode, options) => {
		const { door, errors } = await Rig.open(handleDoor, {
			...options,
			sdk: v2McpServer,
			clock: systemClock,
			tools: toolsOf((peer) => {
				for (let n = 0; n < 120; n++) void peer.log('info', text);
			}),
		});
		const connected = await connectOfficial('v2', door.origin, {}, 'http', mode);
		expect(await within(connected.call('here', {}, { logLevel: 'info' }), 'the result', 30_000)).toBe('done');
		expect(connected.heard.items.length).toBeGreaterThan(50);
		expect(errors.map(({ message }) => message)).toEqual([expect.stringMatching(/too slowly: .* dropped/)]);
	},
);

async function openUnread(kind: 'sessions' | 'off' | 'stateless', tool: Tool) {
	const options: RigOptions = {
		...(kind === 'off' && { sessions: 'off' as const }),
		...(kind === 'stateless' && { sdk: v2McpServer, stateless: {} }),
	};
	const rig = await Rig.open(handleDoor, { ...options, tools: { flood: tool } });
	return { rig, client: await callUnread(rig, kind) };
}

it('no response of a batch is dropped, however much a tool did not await', async () => {
	const ended = new Happening('the end of the flood');
	const rig = await Rig.open(handleDoor, {
		sessions: 'off',
		tools: {
			flood({ here }) {
				for (let n = 0; n < 120; n++) void here.log('info', text);
				ended.happen();
				return 'flooded';
			},
			async last() {
				await ended.wait();
				await settle();
				return 'last';
			},
		},
	});
	const calls = ['flood', 'last'].map((name, id) => ({
		jsonrpc: '2.0',
		id,
		method: 'tools/call',
		params: { name, arguments: {} },
	}));
	const stream = await rig.post(calls, { 'mcp-protocol-version': '2025-03-26' });
	await stream.ended();
	const responses = stream.messages.flatMap(({ message }) => (message.result ? [message.result.content[0].text] : []));
	expect(responses).toEqual(['flooded', 'last']);
});

describe('a client that never reads', () => {
	it.each(['sessions', 'off', 'stateless'] as const)(
		'holds a tool that awaits what it sends for 30 s at most, and is cut off (%s)',
		async (kind) => {
			let sent = 0;
			const { rig } = await openUnread(kind, async ({ here }) => {
				for (; sent < 200; sent++) await here.log('info', text);
				return 'done';
			});
			await eventually(() => sent).toBeGreaterThan(0);
			await settle();
			expect(rig.transport.stats()).toMatchObject({ connections: 1, requestsInFlight: 1 });
			// Where the system still takes something in, the client has 30 seconds more.
			await eventually(() => {
				rig.clock.advance(10_000);
				return rig.transport.stats().connections;
			}).toBe(0);
			await eventually(() => rig.transport.stats()).toMatchObject({ connections: 0, requestsInFlight: 0 });
		},
	);

	it('is cut off at once in a session where a tool awaits nothing, with the head and an event id', async () => {
		const over = new Happening('the end of the tool');
		const { rig, client } = await openUnread('sessions', ({ here }) => {
			for (let n = 0; n < 200; n++) void here.log('info', text);
			over.happen();
			return 'done';
		});
		await over.wait();
		await eventually(() => rig.transport.stats()).toMatchObject({ connections: 0, requestsInFlight: 0 });
		const { bytes, start } = await client.read();
		expect(start).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
		expect(start).toContain('\nid: ');
		expect(bytes).toBeLessThan(20 * MEBIBYTE);
	});

	it.each(['off', 'stateless'] as const)(
		'without a session, is not sent what a tool does not await, and is cut off after the end (%s)',
		async (kind) => {
			const { rig, client } = await openUnread(kind, ({ here }) => {
				for (let n = 0; n < 200; n++) void here.log('info', text);
				return 'done';
			});
			await eventually(() => rig.errors.map(({ message }) => message)).toEqual([expect.stringMatching(/dropped/)]);
			await eventually(() => rig.transport.stats().requestsInFlight).toBe(0);
			await settle();
			for (let n = 0; n < 3; n++) rig.clock.advance(5_000);
			const { bytes, end } = await client.read();
			expect(bytes).toBeLessThan(20 * MEBIBYTE);
			expect(end).not.toContain('done');
		},
	);
});

it('a result that waits for its client to read is not held back past the end of its session, nor kept after it', async () => {
	const [clock, gate] = [new ManualClock(1_000_000), new Happening('the end of the work')];
	const streams = new InMemoryStreamSessionManager({ clock });
	const sessionManager = { streams, info: new InMemoryInfoSessionManager({ clock }) };
	const flood: Tool = async ({ here }) => {
		for (let n = 0; n < 40; n++) void here.log('info', text);
		await gate.wait();
		return 'the result';
	};
	const rig = await Rig.open(handleDoor, { clock, sessionManager, tools: { flood } });
	const client = await callUnread(rig, 'sessions');
	await eventually(() => rig.transport.stats().connections).toBe(1);
	await settle();
	clock.advance(5_000);
	gate.happen();
	await settle();
	const id = String(rig.made.at(-1)?.id);
	expect((await rig.send({ method: 'DELETE', headers: { 'mcp-session-id': id } })).status).toBe(200);
	for (let n = 0; n < 5; n++) {
		clock.advance(100);
		await settle();
	}
	const { end } = await client.read();
	expect(end).toContain('the result');
	clock.advance(60_000);
	expect(streams.stats()).toMatchObject({ sessions: 0, events: 0 });
});
