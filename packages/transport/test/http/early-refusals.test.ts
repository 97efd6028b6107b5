import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, it, onTestFinished } from 'vitest';
import { within } from '../../../../test/support/deadline.ts';
import { handleDoor } from '../../../../test/support/doors.ts';
import { eventually } from '../../../../test/support/eventually.ts';
import { postHeaders, Rig } from '../../../../test/support/rig.ts';

const MIB = 1024 * 1024;
const refusals: [number, Record<string, string>][] = [
	[403, { host: 'evil.example' }],
	[404, { 'mcp-session-id': 'unknown-session' }],
	[406, { accept: 'text/html' }],
	[413, {}],
	[415, { 'content-type': 'text/plain' }],
	[415, { 'content-encoding': 'gzip' }],
];

/** Writes a whole request before it reads anything, as many clients do. Resolves with all that it was sent. */
async function writeThenRead(rig: Rig, headers: Readonly<Record<string, string>>, body: Iterable<string>) {
	const socket = open(rig);
	socket.write(head(headers));
	for (const part of body) if (!socket.write(part)) await within(once(socket, 'drain'), 'room to write');
	return { socket, received: text(socket) };
}

function open(rig: Rig): Socket {
	const socket = connect(Number(new URL(rig.door.origin).port), '127.0.0.1').pause();
	onTestFinished(() => {
		socket.destroy();
	});
	return socket;
}

function head(headers: Readonly<Record<string, string>>): string {
	const all = { host: 'localhost', ...postHeaders, ...headers };
	const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
	return `POST /mcp HTTP/1.1\r\n${lines.join('')}\r\n`;
}

const parts = (bytes: number) => Array.from({ length: bytes / 65_536 }, () => ' '.repeat(65_536));
const chunks = (bytes: number) => [...parts(bytes).map((part) => `10000\r\n${part}\r\n`), '0\r\n\r\n'];

it.each(refusals)(
	'%s reaches a client that sends its whole body first, also one that closes: %j',
	async (status, own) => {
		const rig = await Rig.open(handleDoor);
		for (const [headers, body] of [
			[{ connection: 'close', 'content-length': String(5 * MIB), ...own }, parts(5 * MIB)],
			[{ 'transfer-encoding': 'chunked', ...own }, chunks(5 * MIB)],
		] as const) {
			const { socket, received } = await writeThenRead(rig, headers, body);
			socket.end();
			expect(await within(received, 'the response')).toMatch(new RegExp(`^HTTP/1.1 ${status} .*"code":`, 's'));
		}
		expect(rig.transport.stats().bodyBytes).toBe(0);
	},
);

it('a connection goes on after a refusal, once the body has arrived', async () => {
	const rig = await Rig.open(handleDoor);
	const { socket, received } = await writeThenRead(
		rig,
		{ accept: 'text/html', 'content-length': String(2 * MIB) },
		parts(2 * MIB),
	);
	socket.write(head({ accept: 'text/html', connection: 'close', 'content-length': '2' }));
	socket.end('{}');
	expect((await within(received, 'both responses')).match(/HTTP\/1.1 406/g)).toHaveLength(2);
});

it('a client that never stops sending is cut off after 30 seconds, or after 64 MiB', async () => {
	const rig = await Rig.open(handleDoor);
	const waiting = await writeThenRead(rig, { accept: 'text/html', 'content-length': '1000' }, ['{']);
	const closed = once(waiting.socket, 'close');
	waiting.socket.resume();
	await eventually(() => waiting.socket.bytesRead).toBeGreaterThan(0);
	rig.clock.advance(30_000);
	await within(closed, 'the end of the connection');

	const endless = open(rig);
	endless.on('error', () => {});
	endless.resume().write(head({ accept: 'text/html', 'transfer-encoding': 'chunked' }));
	const cutOff = new Promise((resolve) => endless.once('close', resolve));
	const part = `100000\r\n${' '.repeat(MIB)}\r\n`;
	let sent = 0;
	for (; sent < 200 && !endless.destroyed; sent++)
		if (!endless.write(part)) await Promise.race([new Promise((resolve) => endless.once('drain', resolve)), cutOff]);
	expect(sent).toBeLessThan(200);
});
