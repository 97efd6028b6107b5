import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** What a connection carries at the moment: the SSE response to a GET or a POST, or something short. */
type Carries = 'GET stream' | 'POST stream' | undefined;

/** One TCP connection through the proxy. */
interface Line {
	readonly client: Socket;
	readonly server: Socket;
	method: string;
	carries: Carries;
}

/**
 * A TCP proxy in front of a server on this machine. It cuts connections as networks do: from the middle, with or
 * without a word to the server's side.
 */
export class CuttingProxy {
	readonly #server: Server;
	readonly #port: number;
	readonly #lines = new Set<Line>();
	/** Connections that wait for the way to be free again. */
	#waiting: Socket[] | undefined;

	constructor(port: number) {
		this.#port = port;
		this.#server = createServer((client) => this.#connect(client));
	}

	/** Listens; answers the port. */
	async listen(): Promise<number> {
		this.#server.listen(0, '127.0.0.1');
		await once(this.#server, 'listening');
		const address = this.#server.address();
		if (address === null || typeof address === 'string') throw new Error('The proxy has no port.');
		return address.port;
	}

	/**
	 * Resets every client's connection that carries such a stream. The server hears of it at once, or not at all
	 * (`silently`): then it goes on writing into a connection that leads nowhere. Answers how many were cut.
	 */
	cut(carries: Exclude<Carries, undefined>, how: 'openly' | 'silently'): number {
		let cut = 0;
		for (const line of this.#lines) {
			if (line.carries !== carries) continue;
			cut++;
			line.carries = undefined;
			line.client.removeAllListeners('close');
			line.client.resetAndDestroy();
			if (how === 'openly') line.server.resetAndDestroy();
		}
		return cut;
	}

	/** Lets nothing that clients send through until `unblock`. */
	block(): void {
		this.#waiting ??= [];
		for (const { client } of this.#lines) client.pause();
	}

	unblock(): void {
		const waiting = this.#waiting ?? [];
		this.#waiting = undefined;
		for (const { client } of this.#lines) client.resume();
		for (const client of waiting) this.#connect(client);
	}

	async close(): Promise<void> {
		this.#server.close();
		for (const client of this.#waiting ?? []) client.destroy();
		for (const { client, server } of this.#lines) {
			client.destroy();
			server.destroy();
		}
	}

	#connect(client: Socket): void {
		if (this.#waiting !== undefined) {
			this.#waiting.push(client);
			return;
		}
		const server = connect(this.#port, '127.0.0.1');
		const line: Line = { client, server, method: '', carries: undefined };
		this.#lines.add(line);
		client.on('data', (chunk) => {
			const method = /^([A-Z]+) /.exec(chunk.toString('latin1'))?.[1];
			if (method !== undefined) line.method = method;
			server.write(chunk);
		});
		server.on('data', (chunk) => {
			const text = chunk.toString('latin1');
			if (text.startsWith('HTTP/1.1 ')) {
				const streams = /^content-type: text\/event-stream/im.test(text);
				line.carries =
					streams && (line.method === 'GET' || line.method === 'POST') ? `${line.method} stream` : undefined;
			}
			if (text.endsWith('0\r\n\r\n')) line.carries = undefined;
			if (!client.destroyed) client.write(chunk);
		});
		client.on('close', () => server.destroy());
		server.on('close', () => {
			client.destroy();
			this.#lines.delete(line);
		});
		for (const socket of [client, server]) socket.on('error', () => socket.destroy());
	}
}
