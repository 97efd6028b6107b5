import { Buffer } from 'node:buffer';
import { createServer, get, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer, get as getSecure } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import { NodeHttpConnection } from '../../src/http/connection.ts';

const headers = { 'content-type': 'text/event-stream' };
const CLIENTS = 20;
const texts = ['data: plain\n\n', 'data: ünïcödé €\n\n', `data: ${'long '.repeat(30_000)}\n\n`, ': comment\n\n'];

const opened: { close(): void }[] = [];
afterEach(() => {
	for (const each of opened.splice(0)) each.close();
});

async function listen(server: Server): Promise<number> {
	server.listen(0, '127.0.0.1');
	opened.push({ close: () => void server.close().closeAllConnections() });
	return new Promise((resolve) => server.once('listening', () => resolve((server.address() as AddressInfo).port)));
}

/** A server whose streams are handed over, and what its sockets were told to send: one entry for each syscall. */
async function streams(onresponse: (response: ServerResponse) => void = () => {}) {
	const connections: NodeHttpConnection[] = [];
	const sent: number[] = [];
	const server = createServer((_, response) => {
		onresponse(response);
		connections.push(new NodeHttpConnection(response, headers));
	});
	server.on('connection', (socket) => count(socket, () => sent.push(0)));
	return { connections, sent, port: await listen(server) };
}

function count(socket: Socket, onsend: () => void): void {
	const { _write, _writev } = socket;
	socket._write = (...args) => {
		onsend();
		_write.apply(socket, args);
	};
	socket._writev = (...args) => {
		onsend();
		_writev?.apply(socket, args);
	};
}

/** A client that keeps the body of its response. */
function client(port: number, secure?: object): { body: () => string; ended: () => boolean } {
	let [body, ended] = ['', false];
	const options = { port, host: '127.0.0.1', agent: false, ...secure };
	const request = (secure === undefined ? get : getSecure)(options, (response) => {
		response.setEncoding('utf8').on('data', (text) => {
			body += text;
		});
		response.on('end', () => {
			ended = true;
		});
	});
	request.on('error', () => {});
	opened.push({ close: () => request.destroy() });
	return { body: () => body, ended: () => ended };
}

async function opens(connections: readonly NodeHttpConnection[], number: number): Promise<void> {
	await eventually(() => connections.length).toBe(number);
	for (const connection of connections) connection.write(': connected\n\n');
	await nextTurn();
}

describe('a broadcast', () => {
	it.each([
		['an event for all', (connection: NodeHttpConnection, event: Uint8Array) => connection.enqueue(event)],
		['an event for each', (connection: NodeHttpConnection) => connection.enqueueText('data: 1\n\n', 9)],
	])('is one write for each client, and none waits for the others (%s)', async (_, write) => {
		const { connections, sent, port } = await streams();
		const clients = Array.from({ length: CLIENTS }, () => client(port));
		await opens(connections, CLIENTS);
		let expected = ': connected\n\n';
		for (let round = 0; round < 3; round++) {
			expected += 'data: 1\n\n';
			sent.length = 0;
			const event = Buffer.from('data: 1\n\n');
			for (const [index, connection] of connections.entries()) {
				write(connection, event);
				expect(sent.length).toBe(index + 1);
			}
			for (const each of clients) await eventually(each.body).toBe(expected);
			expect(sent.length).toBe(CLIENTS);
		}
	});

	it('in memory writes the same bytes to all', async () => {
		const { connections, sent, port } = await streams();
		const clients = Array.from({ length: CLIENTS }, () => client(port));
		await eventually(() => connections.length).toBe(CLIENTS);
		const manager = new InMemoryStreamSessionManager();
		for (const [index, connection] of connections.entries()) {
			manager.create(`session-${index}`, connection, { prime: 'data: \n\n' });
		}
		await nextTurn();
		sent.length = 0;
		manager.send(undefined, 'data: 1\n\n');
		expect(sent.length).toBe(CLIENTS);
		for (const each of clients) await eventually(each.body).toMatch(/data: 1\n\n$/);
		await manager.close();
	});
});

it('many events of one turn are two writes', async () => {
	const { connections, sent, port } = await streams();
	const reader = client(port);
	await opens(connections, 1);
	sent.length = 0;
	const events = Array.from({ length: 100 }, (_, index) => `data: ${index}\n\n`);
	for (const event of events) connections[0]?.write(event);
	await eventually(reader.body).toBe(`: connected\n\n${events.join('')}`);
	expect(sent.length).toBe(2);
	connections[0]?.close();
	await eventually(reader.ended).toBe(true);
});

describe('every byte arrives, in order', () => {
	const expected = `: connected\n\n${texts.join('').repeat(3)}`;

	async function writeAll(connection: NodeHttpConnection | undefined): Promise<void> {
		for (let round = 0; round < 3; round++) {
			for (const text of texts) {
				if (round === 1) connection?.enqueue(Buffer.from(text));
				else connection?.enqueueText(text, Buffer.byteLength(text));
				if (round === 2) await nextTurn();
			}
		}
		connection?.close();
	}

	it('of a plain response', async () => {
		const { connections, port } = await streams();
		const reader = client(port);
		await opens(connections, 1);
		await writeAll(connections[0]);
		await eventually(reader.ended).toBe(true);
		expect(reader.body()).toBe(expected);
	});

	it('to HTTP/1.0, which knows no chunks', async () => {
		const { connections, port } = await streams();
		let text = '';
		const socket = connect(port, '127.0.0.1').setEncoding('utf8');
		opened.push({ close: () => socket.destroy() });
		socket.on('data', (more) => {
			text += more;
		});
		socket.write('GET / HTTP/1.0\r\n\r\n');
		await opens(connections, 1);
		await writeAll(connections[0]);
		await eventually(() => socket.readableEnded).toBe(true);
		expect(text.slice(text.indexOf('\r\n\r\n') + 4)).toBe(expected);
	});

	it('over TLS', async () => {
		const connections: NodeHttpConnection[] = [];
		const onrequest: RequestListener = (_, response) => connections.push(new NodeHttpConnection(response, headers));
		// A shared key needs no certificate.
		const psk = Buffer.alloc(16, 1);
		const tls = { ciphers: 'PSK', maxVersion: 'TLSv1.2' as const };
		const port = await listen(createSecureServer({ ...tls, pskCallback: () => psk }, onrequest));
		const pskCallback = () => ({ psk, identity: 'client' });
		const reader = client(port, { ...tls, pskCallback, checkServerIdentity: () => undefined });
		await opens(connections, 1);
		await writeAll(connections[0]);
		await eventually(reader.ended).toBe(true);
		expect(reader.body()).toBe(expected);
	});

	it('of pipelined requests, each in its turn', async () => {
		const { connections, port } = await streams();
		let text = '';
		const socket = connect(port, '127.0.0.1').setEncoding('utf8');
		opened.push({ close: () => socket.destroy() });
		socket.on('data', (more) => {
			text += more;
		});
		socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(2));
		await opens(connections, 2);
		connections[1]?.write('data: second\n\n');
		connections[0]?.write('data: first\n\n');
		await nextTurn();
		connections[0]?.close();
		await nextTurn();
		connections[1]?.write('data: third\n\n');
		await eventually(() => text).toMatch(/third/);
		const bodies = text.split(/HTTP\/1\.1 200 OK\r\n[\s\S]*?\r\n\r\n/).slice(1);
		const chunk = (event: string) => `${event.length.toString(16)}\r\n${event}\r\n`;
		expect(bodies).toEqual([
			`${chunk(': connected\n\n')}${chunk('data: first\n\n')}0\r\n\r\n`,
			`${chunk(': connected\n\n')}${chunk('data: second\n\n')}${chunk('data: third\n\n')}`,
		]);
	});
});

describe('whoever wraps a response gets every byte', () => {
	it.each(['before', 'after'])('wrapped %s the stream began', async (when) => {
		const written: string[] = [];
		let wrap = () => {};
		const { connections, port } = await streams((response) => {
			wrap = () => {
				const { write } = response;
				response.write = (chunk: Uint8Array | string) => {
					written.push(typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString());
					return write.call(response, chunk, 'utf8');
				};
			};
			if (when === 'before') wrap();
		});
		const reader = client(port);
		await opens(connections, 1);
		if (when === 'after') wrap();
		connections[0]?.write('data: 1\n\n');
		connections[0]?.enqueue(Buffer.from('data: 2\n\n'));
		await eventually(reader.body).toBe(': connected\n\ndata: 1\n\ndata: 2\n\n');
		expect(written.slice(when === 'before' ? 1 : 0)).toEqual(['data: 1\n\n', 'data: 2\n\n']);
	});

	it('also where it holds bytes back', async () => {
		let response: ServerResponse | undefined;
		const { connections, port } = await streams((each) => {
			response = each;
		});
		const reader = client(port);
		await opens(connections, 1);
		response?.cork();
		response?.write('data: 1\n\n');
		connections[0]?.write('data: 2\n\n');
		response?.uncork();
		connections[0]?.write('data: 3\n\n');
		await eventually(reader.body).toBe(': connected\n\ndata: 1\n\ndata: 2\n\ndata: 3\n\n');
	});
});

it('tells when a client that was written to directly has read on', async () => {
	const { connections, port } = await streams();
	const socket = connect(port, '127.0.0.1').pause();
	opened.push({ close: () => socket.destroy() });
	socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
	await opens(connections, 1);
	const [connection] = connections;
	const event = Buffer.alloc(50_000, 'x');
	while ((connection?.desiredSize ?? 0) > 0) {
		connection?.enqueue(event);
		await nextTurn();
	}
	let reads = 0;
	connection?.onRead(() => reads++);
	expect(reads).toBe(0);
	socket.resume();
	await eventually(() => reads).toBeGreaterThan(0);
	expect(connection?.desiredSize).toBeGreaterThan(0);
});

it('tells that a client takes something of a long write', async () => {
	const { connections, port } = await streams();
	const socket = connect(port, '127.0.0.1').pause();
	opened.push({ close: () => socket.destroy() });
	socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
	await opens(connections, 1);
	const [connection] = connections;
	// More than the system keeps for both ends.
	connection?.enqueue(Buffer.alloc(64 * 1024 * 1024));
	const unread = connection?.room;
	let before: number | undefined;
	// The system takes what it can.
	await eventually(() => {
		const isStill = connection?.taken === before;
		before = connection?.taken;
		return isStill;
	}).toBe(true);
	let received = 0;
	socket.on('data', (chunk) => {
		received += chunk.byteLength;
		if (received > 8 * 1024 * 1024) socket.pause();
	});
	socket.resume();
	await eventually(() => connection?.taken).not.toBe(before);
	// Node.js counts the write as a whole.
	expect(connection?.room).toBe(unread);
});

it('sends what the system takes of a stream that is broken off in the turn in which it began', async () => {
	const { connections, port } = await streams();
	const reader = client(port);
	await eventually(() => connections.length).toBe(1);
	const [connection] = connections;
	connection?.write('id: 1\n\n');
	connection?.write('data: 1\n\n');
	connection?.error();
	await eventually(reader.body).toBe('id: 1\n\ndata: 1\n\n');
	expect(reader.ended()).toBe(false);
});
