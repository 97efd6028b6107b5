import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import { UnreadResponses } from '../../src/http/unread-responses.ts';

const MEBIBYTE = 1024 * 1024;
const LENGTH = 12 * MEBIBYTE;

/** A server whose responses are watched, and what it has responded with. */
async function openServer(unread: UnreadResponses) {
	const responses: ServerResponse[] = [];
	const server = createServer((_request, response) => {
		responses.push(response);
		response.writeHead(200, { 'content-length': LENGTH }).end('x'.repeat(LENGTH), 'latin1');
		unread.watch(response);
	});
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	onTestFinished(() => {
		server.closeAllConnections();
		server.close();
	});
	/** A client that has sent a request, and reads nothing yet. */
	const client = async (): Promise<Socket> => {
		const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
		socket.pause().on('error', () => {});
		socket.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n');
		const count = responses.length + 1;
		await eventually(() => responses.length).toBe(count);
		return socket;
	};
	return { responses, client };
}

/** Reads a whole response, and rests after each piece of it. */
async function readAll(socket: Socket, restMs = 0): Promise<void> {
	let read = 0;
	for await (const data of socket) {
		read += (data as Buffer).byteLength;
		if (read > LENGTH) return;
		if (restMs > 0) await delay(restMs);
	}
	throw new Error(`The connection ended after ${read} bytes.`);
}

describe('a response that has ended', () => {
	it('is broken off where its client reads nothing, and not where it reads slowly', async () => {
		const { responses, client } = await openServer(new UnreadResponses(2_000));
		await client();
		const [still] = responses;
		const closed = once(still as ServerResponse, 'close');
		const slow = await client();
		await Promise.all([readAll(slow, 25), closed]);
		expect(still?.destroyed).toBe(true);
	}, 60_000);

	it('leaves the time limits of its connection as they were', async () => {
		const { responses, client } = await openServer(new UnreadResponses(2_000));
		const socket = await client();
		const { socket: theirs } = responses[0] ?? {};
		expect(theirs?.timeout).toBe(2_000);
		await readAll(socket);
		await eventually(() => responses[0]?.writableFinished).toBe(true);
		// That between two requests.
		expect(theirs?.timeout).toBeGreaterThanOrEqual(5_000);
	}, 30_000);

	it('is broken off where too much waits, the one first that waits longest', async () => {
		const { responses, client } = await openServer(new UnreadResponses(60_000, 30 * MEBIBYTE));
		const sockets = [await client(), await client(), await client(), await client()];
		expect(responses.map(({ destroyed }) => destroyed)).toEqual([true, true, false, false]);
		for (const socket of sockets.slice(2)) await readAll(socket);
		await client();
		await client();
		expect(responses.map(({ destroyed }) => destroyed).slice(4)).toEqual([false, false]);
	}, 30_000);
});
