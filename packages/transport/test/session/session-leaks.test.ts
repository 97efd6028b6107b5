import { InMemoryInfoSessionManager, InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { ManualClock } from '@holdfast/session-manager/testing';
import { HttpTransport } from '@holdfast/transport-http';
import { McpServer } from '@modelcontextprotocol/server';
import { describe, expect, it } from 'vitest';
import { settle } from '../../../../test/support/deadline.ts';
import { handleDoor, toRequest, type WireRequest } from '../../../../test/support/doors.ts';
import { eventually } from '../../../../test/support/eventually.ts';
import { heapInUse } from '../../../../test/support/heap-in-use.ts';
import { initializeMessage, LATEST, postHeaders, Rig } from '../../../../test/support/rig.ts';
import { type Tool, v1McpServer, v2McpServer } from '../../../../test/support/servers.ts';

const IDLE_TTL_MS = 60_000;
/** Longer than any session lives, and than anything is kept for clients that come back. */
const LONG_MS = 3_600_000;
const MEBIBYTE = 1024 * 1024;

const nothing = {
	transport: { sessions: 0, liveServers: 0, requestsInFlight: 0, requestsWaiting: 0, connections: 0 },
	// What is left are the node's own address and that of every node.
	streams: { streams: 0, listeners: 2, sessions: 0, events: 0 },
	info: { sessions: 0, subscriptions: 0, stateValues: 0 },
};

/** Managers and options of one node whose time is the test's. */
function makeNode() {
	const clock = new ManualClock(1_000_000);
	const streams = new InMemoryStreamSessionManager({ clock });
	const info = new InMemoryInfoSessionManager({ maxSessions: 0, clock });
	const stats = (transport: HttpTransport) => ({
		transport: transport.stats(),
		streams: streams.stats(),
		info: info.stats(),
	});
	return { clock, streams, stats, options: { clock, idleTtlMs: IDLE_TTL_MS, sessionManager: { streams, info } } };
}

/** Runs `work` for each number below `count`, `parallel` at a time. */
async function times(count: number, parallel: number, work: (index: number) => Promise<void>): Promise<void> {
	let next = 0;
	const worker = async () => {
		while (next < count) await work(next++);
	};
	await Promise.all(Array.from({ length: parallel }, worker));
}

/** Leaves every trace that a session can leave outside itself. */
const remember: Tool = async ({ session, here, outside }) => {
	await session.state.set('seen', 1n);
	session.signal.addEventListener('abort', () => {});
	await here.log('info', 'on the call');
	await outside.log('info', 'on the session');
	return 'remembered';
};

describe.each([v1McpServer, v2McpServer])('with servers of $name, after sessions came and went over HTTP', (sdk) => {
	it.each(['DELETE', 'expiry', 'disconnect and expiry', 'termination by the server'] as const)(
		'by %s, every count is zero and the heap is back',
		async (end) => {
			const visit = async (sessions: number) => {
				const node = makeNode();
				const rig = await Rig.open(handleDoor, { sdk, tools: { remember }, ...node.options });
				await times(sessions, 16, async () => {
					const client = await rig.session();
					const stream = await client.get();
					await client.request('resources/subscribe', { uri: 'a://1' });
					await client.ask('remember');
					await stream.message(0);
					if (end === 'DELETE') await client.delete();
					else if (end === 'termination by the server') await rig.transport.terminate(client.id, 'enough');
					else if (end === 'disconnect and expiry') stream.drop();
				});
				node.clock.advance(LONG_MS);
				await eventually(() => node.stats(rig.transport)).toEqual(nothing);
				expect(rig.errors).toEqual([]);
				// What sockets hold is not the transport's.
				await rig.door.close();
				rig.made.length = 0;
				return { node, rig };
			};
			const warm = await visit(100);
			const before = await heapInUse();
			const { node, rig } = await visit(400);
			// One server alone takes tens of kilobytes: 400 that stay would be many times this.
			expect((await heapInUse()) - before).toBeLessThan(2 * MEBIBYTE);
			for (const { transport } of [warm.rig, rig]) await transport.close();
			expect(node.streams.stats().listeners).toBe(0);
		},
	);
});

it('after 20,000 sessions came and went through `respond`, every count is zero and the heap is back', async () => {
	const node = makeNode();
	const transport = new HttpTransport(() => new McpServer({ name: 'small', version: '1' }), node.options);
	const send = async (request: WireRequest) => {
		const response = await transport.respond(toRequest('http://127.0.0.1', request));
		if (response === null || !response.ok) throw new Error(`Refused: ${response?.status}`);
		return response;
	};
	const visit = async (sessions: number) => {
		await times(sessions, 16, async (index) => {
			const initialized = await send({ headers: postHeaders, body: JSON.stringify(initializeMessage()) });
			const headers = {
				'mcp-session-id': initialized.headers.get('mcp-session-id') ?? '',
				'mcp-protocol-version': LATEST,
			};
			const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' });
			await send({ headers: { ...postHeaders, ...headers }, body });
			const stream = await send({ method: 'GET', headers: { accept: 'text/event-stream', ...headers } });
			// One third ends by DELETE, one is left by its client, and one expires with an open stream.
			if (index % 3 === 0) await send({ method: 'DELETE', headers });
			else if (index % 3 === 1) await stream.body?.cancel();
		});
		expect(transport.stats().liveServers).toBeLessThanOrEqual(2_000);
		await settle();
		node.clock.advance(LONG_MS);
		await eventually(() => node.stats(transport)).toEqual(nothing);
	};
	await visit(1_000);
	const before = await heapInUse();
	for (let part = 0; part < 4; part++) await visit(5_000);
	expect((await heapInUse()) - before).toBeLessThan(2 * MEBIBYTE);
	await transport.close();
}, 60_000);

it('keeps to its number of live servers while every session holds a stream, and more than that are busy', async () => {
	const gates: (() => void)[] = [];
	const hang: Tool = () => new Promise((resolve) => gates.push(() => resolve('')));
	const rig = await Rig.open(handleDoor, { tools: { hang }, maxLiveServers: 5 });
	const idle = async () => {
		const client = await rig.session();
		await client.get();
		return client;
	};
	for (let n = 0; n < 100; n++) {
		await idle();
		expect(rig.transport.stats().liveServers).toBeLessThanOrEqual(5);
	}
	const calls: Promise<unknown>[] = [];
	for (let n = 0; n < 80; n++) calls.push((await idle()).ask('hang'));
	await eventually(() => gates.length).toBe(80);
	for (let n = 0; n < 100; n++) {
		await idle();
		expect(rig.transport.stats().liveServers).toBeLessThanOrEqual(80 + 5);
	}
	for (const open of gates) open();
	await Promise.all(calls);
	await idle();
	await idle();
	await eventually(() => rig.transport.stats().liveServers).toBeLessThanOrEqual(5);
});
