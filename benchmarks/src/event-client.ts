import { connect, type Socket } from 'node:net';
import { versionHeader } from './mcp-messages.js';

/** A client with an open session stream, which only checks whether the expected text has arrived. */
export class EventClient {
	readonly #socket: Socket;
	#awaited: { readonly text: string; readonly heard: () => void } | undefined;
	#tail = '';

	private constructor(socket: Socket) {
		this.#socket = socket;
		socket.setEncoding('latin1').on('data', (text: string) => {
			this.#tail = (this.#tail + text).slice(-1_000);
			if (this.#awaited === undefined || !this.#tail.includes(this.#awaited.text)) return;
			this.#tail = '';
			const { heard } = this.#awaited;
			this.#awaited = undefined;
			heard();
		});
		socket.on('error', () => {});
	}

	/** Opens the stream of a session. Resolves once its first bytes have arrived. */
	static async open(port: number, session: string): Promise<EventClient> {
		const client = new EventClient(connect(port, '127.0.0.1'));
		const headers = {
			Host: `127.0.0.1:${port}`,
			Accept: 'text/event-stream',
			'Mcp-Session-Id': session,
			...versionHeader,
		};
		const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
		const begun = client.hears('HTTP/1.1 200');
		client.#socket.write(`GET /mcp HTTP/1.1\r\n${lines.join('')}\r\n`);
		await begun;
		return client;
	}

	/** Resolves with the time at which `text` arrived. Rejects after a minute. */
	hears(text: string): Promise<number> {
		return new Promise((resolve, reject) => {
			const timer = setTimeout(() => reject(new Error(`A client did not hear "${text}".`)), 60_000);
			this.#awaited = {
				text,
				heard: () => {
					clearTimeout(timer);
					resolve(performance.now());
				},
			};
		});
	}

	close(): void {
		this.#socket.destroy();
	}
}

/** Opens a stream for each session, on each of `ports` in turn. */
export async function openStreams(ports: readonly number[], sessions: readonly string[]): Promise<EventClient[]> {
	const clients: EventClient[] = [];
	let next = 0;
	const open = async (): Promise<void> => {
		while (next < sessions.length) {
			const index = next++;
			clients[index] = await EventClient.open(ports[index % ports.length] ?? 0, sessions[index] ?? '');
		}
	};
	await Promise.all(Array.from({ length: 32 }, open));
	return clients;
}
