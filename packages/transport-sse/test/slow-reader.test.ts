import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { doors, toRequest } from '../../../test/support/doors.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { initializeMessage } from '../../../test/support/rig.ts';
import { openSseNodes } from './support/sse-nodes.ts';
import type { SseRig } from './support/sse-rig.ts';

/** Opens a stream, reads its first event, and nothing more; the endpoint. */
const openers = {
	async handle({ door }: SseRig): Promise<string> {
		const { hostname, port } = new URL(door.origin);
		const socket = connect(Number(port), hostname);
		onTestFinished(() => void socket.destroy());
		socket.write(`GET /sse HTTP/1.1\r\nhost: ${hostname}\r\naccept: text/event-stream\r\n\r\n`);
		let text = '';
		while (!text.includes('sessionId=')) text += String((await once(socket, 'data'))[0]);
		socket.pause();
		return endpointIn(text);
	},
	async respond({ door, transport }: SseRig): Promise<string> {
		const response = await transport.respond(toRequest(door.origin, { method: 'GET', path: '/sse' }));
		const reader = response?.body?.getReader();
		onTestFinished(async () => reader?.cancel().catch(() => {}));
		return endpointIn(new TextDecoder().decode((await reader?.read())?.value));
	},
};

function endpointIn(text: string): string {
	return /data: (\S+)/.exec(text)?.[1] ?? '';
}

it.each(doors.flatMap((door) => (['a', 'b'] as const).map((floods) => ({ door, floods }))))(
	'a client of node a that does not read is cut off, and its session ends, through $door.name, when $floods floods it',
	async ({ door, floods }) => {
		const nodes = await openSseNodes(door, {
			tools: {
				async flood({ outside }) {
					const text = 'x'.repeat(1_000_000);
					// More than any socket buffers.
					for (let n = 0; n < 64; n++) await outside.log('info', text);
					return '';
				},
			},
		});
		const { a, b, streams } = nodes;
		const neighbour = await a.session();
		const endpoint = await openers[door.name](a);
		expect((await a.post(endpoint, initializeMessage())).status).toBe(202);
		const flood = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'flood', arguments: {} } };
		expect((await nodes[floods].post(endpoint, flood)).status).toBe(202);
		await eventually(() => {
			// A tool on the node of the stream waits for 30 seconds that its client reads on.
			a.clock.advance(5_000);
			return a.transport.stats().connections;
		}).toBe(1);
		await eventually(() => nodes[floods].transport.stats().requestsInFlight).toBe(0);
		expect(await neighbour.ask('echo', { text: 'x' })).toBe('x');
		await a.advance(60_000);
		await eventually(() => [a, b].map(({ transport }) => transport.stats().sessions)).toEqual([1, 0]);
		// Nothing of what it did not read is kept.
		expect(streams.stats()).toMatchObject({ streams: 1, events: 0 });
		for (const node of [a, b]) {
			expect((await node.post(endpoint, { jsonrpc: '2.0', id: 2, method: 'ping' })).status).toBe(404);
		}
		expect([...a.errors, ...b.errors]).toEqual([]);
	},
);
