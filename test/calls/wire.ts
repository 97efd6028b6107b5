import { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';

/** One request, without what depends on the node that it goes to. */
export interface Outgoing {
	readonly method: 'GET' | 'POST' | 'DELETE';
	readonly path: string;
	readonly headers: Readonly<Record<string, string>>;
	readonly body?: unknown;
}

/** A whole answer. */
export interface Answer {
	readonly status: number;
	readonly headers: IncomingHttpHeaders;
	readonly text: string;
}

/** One SSE event, as a client reads it. */
export interface SseEvent {
	readonly id: string | undefined;
	readonly type: string;
	readonly data: string;
}

/**
 * Sends a request over a connection of its own. Answers `undefined` where none came in time, or the connection broke.
 */
export function send(origin: string, outgoing: Outgoing, timeoutMs = 3_000): Promise<Answer | undefined> {
	return new Promise((resolve) => {
		const connection = open(origin, outgoing);
		const giveUp = setTimeout(() => connection.destroy(), timeoutMs);
		connection.on('response', (response) => {
			let text = '';
			response.setEncoding('utf8').on('data', (chunk: string) => {
				text += chunk;
			});
			response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
			response.on('error', () => {});
		});
		connection.on('close', () => {
			clearTimeout(giveUp);
			resolve(undefined);
		});
	});
}

/** Begins a request over a connection of its own; its failures are told by `close` alone. */
export function open(origin: string, { method, path, headers, body }: Outgoing): ClientRequest {
	const connection = request(`${origin}${path}`, { method, headers, agent: false });
	connection.on('error', () => {});
	connection.end(body === undefined ? undefined : JSON.stringify(body));
	return connection;
}

/** Calls `onevent` with each event of a stream. */
export function readEvents(response: IncomingMessage, onevent: (event: SseEvent) => void): void {
	let text = '';
	response.setEncoding('utf8').on('data', (chunk: string) => {
		let from = Math.max(0, text.length - 1);
		text += chunk;
		for (let end = text.indexOf('\n\n', from); end !== -1; end = text.indexOf('\n\n', from)) {
			const event = parseEvent(text.slice(0, end));
			text = text.slice(end + 2);
			from = 0;
			onevent(event);
		}
	});
	response.on('error', () => {});
}

function parseEvent(text: string): SseEvent {
	let id: string | undefined;
	let type = 'message';
	let data = '';
	for (const line of text.split('\n')) {
		if (line.startsWith('id: ')) id = line.slice(4);
		else if (line.startsWith('event: ')) type = line.slice(7);
		else if (line.startsWith('data: ')) data = line.slice(6);
	}
	return { id, type, data };
}
