import { once } from 'node:events';
import { connect } from 'node:net';
import { within } from './deadline.ts';
import { postHeaders, type Rig } from './rig.ts';

/** A POST whose body has begun and does not end. */
export interface OpenBody {
	/** Sends more of the body. */
	send(text: string): Promise<void>;
	/** Resolves with the status and the headers of the response. */
	readonly response: Promise<{ readonly status: number; readonly headers: Headers }>;
	/** Resolves when the server has closed the connection or, through `respond`, cancelled the body. */
	readonly closed: Promise<unknown>;
	/** The client goes away. */
	leave(): void;
}

/** Begins a POST, in chunks, through the door of the rig. */
export function beginPost(rig: Rig, headers: Readonly<Record<string, string>> = {}): Promise<OpenBody> {
	const all = { ...postHeaders, ...headers };
	return rig.door.name === 'handle' ? beginOverHttp(rig, all) : Promise.resolve(beginInFetch(rig, all));
}

async function beginOverHttp(rig: Rig, headers: Readonly<Record<string, string>>): Promise<OpenBody> {
	const { port } = new URL(rig.door.origin);
	const socket = connect(Number(port), '127.0.0.1');
	socket.on('error', () => {});
	const closed = once(socket, 'close');
	await within(once(socket, 'connect'), 'a connection');
	const lines = Object.entries({ host: 'localhost', 'transfer-encoding': 'chunked', ...headers });
	socket.write(`POST /mcp HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`);
	let head = '';
	const response = new Promise<{ status: number; headers: Headers }>((resolve) => {
		socket.on('data', (chunk) => {
			head += chunk;
			const end = head.indexOf('\r\n\r\n');
			if (end === -1) return;
			const [first = '', ...fields] = head.slice(0, end).split('\r\n');
			const pairs = fields.map((field): [string, string] => [field.split(': ')[0] ?? '', field.split(': ')[1] ?? '']);
			resolve({ status: Number(first.split(' ')[1]), headers: new Headers(pairs) });
		});
	});
	return {
		response,
		closed,
		send: (text) =>
			new Promise((resolve) => {
				socket.write(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`, () => resolve());
			}),
		leave: () => socket.destroy(),
	};
}

function beginInFetch(rig: Rig, headers: Readonly<Record<string, string>>): OpenBody {
	let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
	let cancelled = () => {};
	const closed = new Promise<void>((resolve) => {
		cancelled = resolve;
	});
	const body = new ReadableStream<Uint8Array>({
		start: (own) => {
			controller = own;
		},
		cancel: cancelled,
	});
	const init: RequestInit & { duplex: 'half' } = {
		method: 'POST',
		headers: { host: '127.0.0.1', ...headers },
		body,
		duplex: 'half',
	};
	const response = rig.transport.respond(new Request(`${rig.door.origin}/mcp`, init)).then((answer) => {
		if (answer === null) throw new Error('Not an endpoint.');
		return answer;
	});
	return {
		response,
		closed,
		send: async (text) => controller?.enqueue(Buffer.from(text)),
		leave: () => controller?.error(new Error('The client left.')),
	};
}
