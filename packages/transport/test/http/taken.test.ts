import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import { takenFrom } from '../../src/http/plain-socket.ts';

it('what is written to a client that reads nothing is not taken, in whatever letters, and what it reads is', async () => {
	const accepted: Socket[] = [];
	// The client leaves while there is something for it.
	const server = createServer((socket) => accepted.push(socket.on('error', () => {})));
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	const client = connect((server.address() as AddressInfo).port, '127.0.0.1').pause();
	onTestFinished(() => {
		client.destroy();
		server.close();
	});
	await eventually(() => accepted.length).toBe(1);
	const [socket] = accepted;
	if (socket === undefined) return expect.fail('Nobody was accepted.');
	socket.write('x'.repeat(16 * 1024 * 1024));
	// Until the system takes no more.
	let before = takenFrom(socket);
	await eventually(async () => {
		const last = before;
		await new Promise((resolve) => setTimeout(resolve, 50));
		before = takenFrom(socket);
		return before === last;
	}).toBe(true);
	socket.write('é'.repeat(1_000));
	socket.write(Buffer.alloc(1_000));
	expect(takenFrom(socket)).toBe(before);
	client.resume();
	await eventually(() => takenFrom(socket) - before).toBeGreaterThan(0);
});
