import { Agent, createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { HttpTransport } from '@holdfast/transport-http';
import { WireResponse } from './clients/wire-response.ts';
import { within } from './deadline.ts';

/** One HTTP request, before a door carries it. */
export interface WireRequest {
	/** Default `POST`. */
	readonly method?: string;
	/** Default `/mcp`. */
	readonly path?: string;
	/** `undefined` leaves a header out. */
	readonly headers?: Readonly<Record<string, string | undefined>>;
	/** Text is sent with its length; a list is sent in chunks, without a length. */
	readonly body?: string | readonly string[];
	/** How text of the body becomes bytes (default UTF-8). */
	readonly encoding?: 'utf8' | 'latin1';
}

/** A transport behind one of its two doors. */
export interface OpenDoor {
	readonly name: Door['name'];
	/** The address that a client would be given. */
	readonly origin: string;
	/** Resolves with the head of the response; the body follows. */
	send(request: WireRequest): Promise<WireResponse>;
	close(): Promise<void>;
}

/** One of the two ways into a transport. */
export interface Door {
	readonly name: 'handle' | 'respond';
	open(transport: Pick<HttpTransport, 'handle' | 'respond'>): Promise<OpenDoor>;
}

/** The door of `node:http`, which official clients can reach. */
export const handleDoor = { name: 'handle', open: openHandle } as const satisfies Door;

/** Both doors: each promise holds at each of them. */
export const doors: readonly Door[] = [handleDoor, { name: 'respond', open: openRespond }];

/** `handle` on a real server. */
async function openHandle(transport: Pick<HttpTransport, 'handle'>): Promise<OpenDoor> {
	const server = createServer(transport.handle);
	await new Promise<void>((resolve) => {
		server.listen(0, '127.0.0.1', resolve);
	});
	const { port } = server.address() as AddressInfo;
	const agent = new Agent({ keepAlive: true });
	return {
		name: 'handle',
		origin: `http://127.0.0.1:${port}`,
		send: (request) => within(sendOverHttp(agent, port, request), 'the head of an answer'),
		async close() {
			agent.destroy();
			server.closeAllConnections();
			await new Promise((resolve) => server.close(resolve));
		},
	};
}

/** Sends a request to a server at a port of this machine. */
export function sendOverHttp(agent: Agent, port: number, wire: WireRequest): Promise<WireResponse> {
	const { method = 'POST', path = '/mcp', headers = {}, body, encoding = 'utf8' } = wire;
	return new Promise((resolve, reject) => {
		const request = httpRequest({ agent, host: '127.0.0.1', port, method, path, headers: present(headers) });
		let answered = false;
		request.on('response', (response) => {
			answered = true;
			resolve(readResponse(response, () => request.destroy()));
		});
		request.on('error', (error) => {
			if (!answered) reject(error);
		});
		if (typeof body === 'object') {
			for (const part of body) request.write(part, encoding);
			request.end();
		} else request.end(body, encoding);
	});
}

function readResponse(response: IncomingMessage, drop: () => void): WireResponse {
	const headers = new Headers();
	for (const [name, values] of Object.entries(response.headersDistinct)) {
		for (const value of values ?? []) headers.append(name, value);
	}
	const answer = new WireResponse(response.statusCode ?? 0, headers, drop);
	response.setEncoding('utf8');
	response.on('data', (text: string) => answer.push(text));
	response.on('end', () => answer.end(false));
	response.on('error', () => answer.end(true));
	response.on('close', () => answer.end(!response.complete));
	return answer;
}

/** `respond`, called as a fetch runtime does: with a `Host` header, and a signal that aborts when the client goes. */
async function openRespond(transport: Pick<HttpTransport, 'respond'>): Promise<OpenDoor> {
	const origin = 'http://127.0.0.1';
	const open = new Set<() => void>();
	return {
		name: 'respond',
		origin,
		async send(request) {
			const gone = new AbortController();
			const response = await within(
				transport.respond(toRequest(origin, request, gone.signal)),
				'the head of a response',
			);
			if (response === null) return emptyAnswer();
			return readBody(response, gone, open);
		},
		async close() {
			for (const drop of open) drop();
		},
	};
}

/** The fetch `Request` that a runtime makes of what came over the wire. */
export function toRequest(origin: string, wire: WireRequest, signal?: AbortSignal): Request {
	const { method = 'POST', path = '/mcp', headers = {}, body, encoding = 'utf8' } = wire;
	const init: RequestInit & { duplex?: 'half' } = {
		method,
		headers: { host: new URL(origin).host, ...present(headers) },
		...(signal && { signal }),
	};
	if (typeof body === 'string') init.body = Buffer.from(body, encoding);
	else if (body !== undefined) {
		init.body = ReadableStream.from(body.map((part) => Buffer.from(part, encoding)));
		init.duplex = 'half';
	}
	const request = new Request(`${origin}${path}`, init);
	// A runtime passes on the length that it has counted.
	if (typeof body === 'string') request.headers.set('content-length', String(Buffer.byteLength(body, encoding)));
	return request;
}

function readBody(response: Response, gone: AbortController, open: Set<() => void>): WireResponse {
	const reader = response.body?.getReader();
	const drop = () => {
		gone.abort();
		reader?.cancel().catch(() => {});
	};
	const answer = new WireResponse(response.status, response.headers, drop);
	if (reader === undefined) answer.end(false);
	else {
		open.add(drop);
		void pump(reader, answer).finally(() => open.delete(drop));
	}
	return answer;
}

async function pump(reader: ReadableStreamDefaultReader<Uint8Array>, answer: WireResponse): Promise<void> {
	const decoder = new TextDecoder();
	try {
		for (;;) {
			const { done, value } = await reader.read();
			if (done) return answer.end(false);
			answer.push(decoder.decode(value, { stream: true }));
		}
	} catch {
		answer.end(true);
	}
}

/** What a framework says where `respond` leaves a path to it. */
function emptyAnswer(): WireResponse {
	const answer = new WireResponse(404, new Headers({ 'x-passed-on': 'yes' }), () => {});
	answer.end(false);
	return answer;
}

function present(headers: Readonly<Record<string, string | undefined>>): Record<string, string> {
	return Object.fromEntries(
		Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined),
	);
}
