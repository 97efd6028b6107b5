import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { doors, toRequest } from '../../transport-http/test/support/doors.ts';
import { eventually } from '../../transport-http/test/support/eventually.ts';
import { initializeMessage } from '../../transport-http/test/support/rig.ts';
import { SseRig } from './support/sse-rig.ts';

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

it.each(doors)('a client that does not read is cut off, and its session ends, through $name', async (door) => {
	const rig = await SseRig.open(door, {
		tools: {
			async flood({ outside }) {
				const text = 'x'.repeat(1_000_000);
				// More than any socket buffers.
				for (let n = 0; n < 64; n++) await outside.log('info', text);
				return '';
			},
		},
	});
	const endpoint = await openers[door.name](rig);
	expect((await rig.post(endpoint, initializeMessage())).status).toBe(202);
	const flood = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'flood', arguments: {} } };
	expect((await rig.post(endpoint, flood)).status).toBe(202);
	await eventually(() => rig.transport.stats()).toMatchObject({ connections: 0, requestsInFlight: 0 });
	rig.clock.advance(60_000);
	await eventually(() => rig.transport.stats().sessions).toBe(0);
	expect((await rig.post(endpoint, { jsonrpc: '2.0', id: 2, method: 'ping' })).status).toBe(404);
	expect(rig.errors).toEqual([]);
});
