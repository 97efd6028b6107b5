import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { queryObjects } from 'node:v8';
import { HttpTransport } from '@holdfast/transport-http';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { expect, it } from 'vitest';
import { initializeMessage, LATEST, postHeaders } from '../../../test/support/rig.ts';

const STREAMS = 50;
const kinds = { maps: Map, sets: Set, promises: Promise, functions: Function };

/** Opens streams, and returns how many objects of each kind there are for one of them. */
async function objectsOfStream(listener: RequestListener, sessionOf: (url: string) => Promise<string>) {
	const server = createServer(listener).listen(0, '127.0.0.1');
	await once(server, 'listening');
	const { port } = server.address() as AddressInfo;
	const url = `http://127.0.0.1:${port}/mcp`;
	const sockets: Socket[] = [];
	const open = async (session: string) => {
		const socket = connect(port, '127.0.0.1');
		sockets.push(socket);
		socket.write(
			`GET /mcp HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAccept: text/event-stream\r\nMcp-Session-Id: ${session}\r\n` +
				`Mcp-Protocol-Version: ${LATEST}\r\n\r\n`,
		);
		const [head] = (await once(socket, 'data')) as [Buffer];
		expect(head.toString()).toMatch(/^HTTP\/1\.1 200 /);
	};
	const sessions: string[] = [];
	for (let n = 0; n <= STREAMS; n++) sessions.push(await sessionOf(url));
	// What the first stream of a process makes is not of the stream.
	await open(sessions.pop() ?? '');
	const before = counts();
	for (const session of sessions) await open(session);
	const after = counts();
	for (const socket of sockets) socket.destroy();
	server.close().closeAllConnections();
	return after.map((count, index) => (count - (before[index] ?? 0)) / STREAMS);
}

function counts(): number[] {
	return Object.values(kinds).map((kind) => queryObjects(kind, { format: 'count' }));
}

it('an idle session stream keeps no table, no promise and few functions that one of node:http has not', async () => {
	const bare = await objectsOfStream(
		(_, response) => {
			response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': connected\n\n');
		},
		async () => 'none',
	);
	const transport = new HttpTransport(() => new Server({ name: 'small', version: '1' }, { capabilities: {} }));
	const own = await objectsOfStream(transport.handle, async (url) => {
		const body = JSON.stringify(initializeMessage());
		const response = await fetch(url, { method: 'POST', headers: postHeaders, body });
		await response.text();
		return response.headers.get('mcp-session-id') ?? '';
	});
	await transport.close();
	const names = Object.keys(kinds);
	const more = own.map((count, index) => [names[index], Math.max(0, Math.round(count - (bare[index] ?? 0)))]);
	const { functions, ...others } = Object.fromEntries(more);
	expect(others).toEqual({ maps: 0, sets: 0, promises: 0 });
	expect(functions).toBeLessThanOrEqual(4);
});
