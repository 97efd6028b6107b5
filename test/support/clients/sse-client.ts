import { initializeMessage, type OpenOptions } from '../rig.ts';
import type { Loose, Received, WireResponse } from './wire-response.ts';

const oldest = '2024-11-05';

/** A node, or a balancer, that takes POSTs. */
export interface Postable {
	post(path: string, body: unknown, headers?: Readonly<Record<string, string | undefined>>): Promise<WireResponse>;
}

/** A client with a stream, down to the single message. */
export class SseClient {
	readonly stream: WireResponse;
	/** Where to POST, as the endpoint event said. */
	readonly endpoint: string;
	readonly #node: Postable;
	readonly #headers: Readonly<Record<string, string | undefined>>;
	/** Shared with the same client at other nodes. */
	#count = { requests: 0 };

	constructor(
		node: Postable,
		stream: WireResponse,
		endpoint: string,
		headers: Readonly<Record<string, string | undefined>>,
	) {
		this.#node = node;
		this.stream = stream;
		this.endpoint = endpoint;
		this.#headers = headers;
	}

	get id(): string {
		return new URL(this.endpoint, 'http://localhost').searchParams.get('sessionId') ?? '';
	}

	/** The id of the request that was sent last. */
	get lastId(): number {
		return this.#count.requests;
	}

	/** The same client, whose messages go to another node from now on. */
	at(node: Postable): SseClient {
		const client = new SseClient(node, this.stream, this.endpoint, this.#headers);
		client.#count = this.#count;
		return client;
	}

	post(body: unknown, headers: Readonly<Record<string, string | undefined>> = {}): Promise<WireResponse> {
		return this.#node.post(this.endpoint, body, { ...this.#headers, ...headers });
	}

	/** The messages of the stream so far. */
	get messages(): Received[] {
		return this.stream.blocks
			.filter(({ event }) => event === 'message')
			.map(({ data }) => JSON.parse(data ?? '') as Received);
	}

	/** The first message of the stream that `matches`. */
	async find(matches: (message: Received) => boolean): Promise<Received> {
		for (let index = 1; ; index++) {
			const { data } = await this.stream.event(index);
			const message = JSON.parse(data ?? '') as Received;
			if (matches(message)) return message;
		}
	}

	/** The response to request `id`. */
	answerTo(id: unknown): Promise<Received> {
		return this.find((message) => message.method === undefined && message.id === id);
	}

	/** Sends a request with the next id; its id. */
	async request(method: string, params?: Loose): Promise<number> {
		const id = ++this.#count.requests;
		const { status, received } = await this.post({
			jsonrpc: '2.0',
			id,
			method,
			...(params !== undefined && { params }),
		});
		if (status !== 202) throw new Error(`${method} was not taken: ${status} ${received}`);
		return id;
	}

	/** Calls a tool; the id of the request. */
	call(name: string, args: Loose = {}, meta?: Loose): Promise<number> {
		return this.request('tools/call', { name, arguments: args, ...(meta !== undefined && { _meta: meta }) });
	}

	/** Calls a tool and resolves with the text of its result. */
	async ask(name: string, args: Loose = {}): Promise<string> {
		const { result, error } = await this.answerTo(await this.call(name, args));
		if (result === undefined) throw new Error(`Not a result: ${JSON.stringify(error)}`);
		return result.content[0].text;
	}

	/** Sends `initialize`; what it answers. */
	async initialize(options: OpenOptions = {}): Promise<Received> {
		const message = initializeMessage({ protocolVersion: oldest, ...options });
		const { status, received } = await this.post(message);
		if (status !== 202) throw new Error(`initialize was not taken: ${status} ${received}`);
		return this.answerTo(message.id);
	}

	notify(method: string, params?: Loose): Promise<WireResponse> {
		return this.post({ jsonrpc: '2.0', method, ...(params !== undefined && { params }) });
	}

	/** Answers a request of the server. */
	reply(id: unknown, result: Loose): Promise<WireResponse> {
		return this.post({ jsonrpc: '2.0', id, result });
	}
}
