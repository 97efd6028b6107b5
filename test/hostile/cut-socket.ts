import { once } from 'node:events';
import { connect } from 'node:net';
import { within } from '../support/deadline.ts';

/** How a client leaves: in good order, with a reset, or by saying that it writes no more. */
export type Leaving = 'closes' | 'resets' | 'half-closes';

/** When a client leaves. */
export type Moment =
	/** After so much of its request. */
	| { readonly when: string; readonly sent: (wire: Wire) => number }
	/** After it received this. */
	| { readonly when: string; readonly received: RegExp }
	/** While the server is at work. */
	| { readonly when: string; readonly atWork: true };

/** A request as it goes over the wire. */
export interface Wire {
	readonly head: string;
	readonly body: string;
}

/** Where in its own request a client may leave. */
export const whileSending: readonly Moment[] = [
	{ when: 'before its first byte', sent: () => 0 },
	{ when: 'within the head', sent: ({ head }) => head.length / 2 },
	{ when: 'between head and body', sent: ({ head }) => head.length },
	{ when: 'within the body', sent: ({ head, body }) => head.length + body.length / 2 },
	{ when: 'before the last byte', sent: ({ head, body }) => head.length + body.length - 1 },
	{ when: 'after the last byte', sent: ({ head, body }) => head.length + body.length },
];
export const atTheAnswer: Moment = { when: 'at the first byte of the answer', received: /^H/ };

/** Writes a request as HTTP/1.1 has it. */
export function toWire(
	method: string,
	headers: Readonly<Record<string, string>>,
	message?: object,
	path = '/mcp',
): Wire {
	const body = message === undefined ? '' : JSON.stringify(message);
	const all = {
		host: 'localhost',
		...headers,
		...(body !== '' && { 'content-length': String(Buffer.byteLength(body)) }),
	};
	const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
	return { head: `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`, body };
}

/** Sends a request, leaves at the moment, and resolves when the connection is gone. */
export async function cutAt(
	port: number,
	wire: Wire,
	moment: Moment,
	leaving: Leaving,
	atWork: () => Promise<unknown>,
): Promise<void> {
	const socket = connect(port, '127.0.0.1');
	let text = '';
	const received = new Promise<void>((resolve) => {
		socket.on('data', (chunk) => {
			text += chunk;
			if ('received' in moment && moment.received.test(text)) resolve();
		});
	});
	socket.on('error', () => {});
	const closed = once(socket, 'close');
	await within(once(socket, 'connect'), 'a connection');
	const whole = wire.head + wire.body;
	const sent = 'sent' in moment ? whole.slice(0, moment.sent(wire)) : whole;
	if (sent !== '') await new Promise((resolve) => socket.write(sent, resolve));
	if ('received' in moment) await within(received, `${moment.received}; received: ${text}`);
	if ('atWork' in moment) await atWork();
	if (leaving === 'closes') socket.destroy();
	else if (leaving === 'resets') socket.resetAndDestroy();
	else socket.end();
	await within(closed, 'the end of the connection');
}
