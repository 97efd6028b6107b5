import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { toWire } from '../../../test/hostile/cut-socket.ts';
import { type Door, handleDoor } from '../../../test/support/doors.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { postHeaders, Rig } from '../../../test/support/rig.ts';

it('a result whose client reads nothing of it is watched, and one that has left is not', async () => {
	const responses: ServerResponse[] = [];
	const door: Door = {
		name: 'handle',
		open: ({ handle }) =>
			handleDoor.open({
				handle: (request, response, next) => {
					responses.push(response);
					handle(request, response, next);
				},
			}),
	};
	const tools = { big: () => 'x'.repeat(12 * 1024 * 1024) };
	const rig = await Rig.open(door, { responseMode: 'json', tools });
	const client = await rig.session();
	expect(await client.ask('echo', { text: 'small' })).toBe('small');
	expect(responses.at(-1)?.req.socket.timeout).not.toBe(10_000);
	const socket = connect(Number(new URL(rig.door.origin).port), '127.0.0.1').pause();
	onTestFinished(() => void socket.destroy());
	const message = { jsonrpc: '2.0', id: 9, method: 'tools/call', params: { name: 'big', arguments: {} } };
	const { head, body } = toWire('POST', { ...postHeaders, ...client.headers }, message);
	const count = responses.length;
	socket.write(head + body);
	await eventually(() => responses[count]?.writableEnded).toBe(true);
	expect(responses[count]?.socket?.timeout).toBe(10_000);
});
