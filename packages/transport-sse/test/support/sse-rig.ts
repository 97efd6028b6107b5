import { ManualClock, type Session } from '@holdfast/session-manager';
import type { SdkServer } from '@holdfast/transport';
import { onTestFinished } from 'vitest';
import type { Door, OpenDoor, WireRequest } from '../../../transport-http/test/support/doors.ts';
import {
	type OpenOptions as InitializeOptions,
	initializeMessage,
	tools,
} from '../../../transport-http/test/support/rig.ts';
import { type Sdk, type ServerDesign, v1McpServer } from '../../../transport-http/test/support/servers.ts';
import type { Loose, Received, WireAnswer } from '../../../transport-http/test/support/wire-answer.ts';
import { SseTransport, type SseTransportOptions } from '../../src/index.ts';

export type { Loose, Received, WireAnswer };

/** What a test wants of its server. */
export interface SseRigOptions extends SseTransportOptions, Partial<ServerDesign> {
	/** Which SDK makes the servers (default v1's `McpServer`). */
	readonly sdk?: Sdk;
	/** Makes the servers itself. */
	readonly createServer?: (session: Session) => SdkServer | Promise<SdkServer>;
}

const oldest = '2024-11-05';

/** A transport behind a door, with a clock that stands still; closed when the test is over. */
export class SseRig {
	readonly transport: SseTransport;
	readonly clock: ManualClock;
	readonly door: OpenDoor;
	/** What `onerror` was told. */
	readonly errors: Error[];
	/** The session of each server that was made, in order. */
	readonly made: Session[];
	readonly #path: string;

	private constructor(
		transport: SseTransport,
		clock: ManualClock,
		door: OpenDoor,
		errors: Error[],
		made: Session[],
		path: string,
	) {
		this.transport = transport;
		this.clock = clock;
		this.door = door;
		this.errors = errors;
		this.made = made;
		this.#path = path;
	}

	static async open(door: Door, options: SseRigOptions = {}): Promise<SseRig> {
		const { sdk = v1McpServer, createServer, tools: own, subscribeHandler, capabilities, ...rest } = options;
		const design = { tools: { ...tools, ...own }, ...(subscribeHandler && { subscribeHandler }), capabilities };
		const clock = (options.clock as ManualClock | undefined) ?? new ManualClock(1_000_000);
		const errors: Error[] = [];
		const made: Session[] = [];
		const transport = new SseTransport(
			(session) => {
				made.push(session);
				return createServer === undefined ? sdk.make(design, session) : createServer(session);
			},
			{ clock, onerror: (error) => errors.push(error), ...rest },
		);
		const opened = await door.open(transport);
		onTestFinished(async () => {
			await transport.close();
			await opened.close();
		});
		return new SseRig(transport, clock, opened, errors, made, options.path ?? '/sse');
	}

	/** Moves time on, second by second, and lets what falls due happen. */
	async advance(ms: number): Promise<void> {
		const step = Math.max(1_000, ms / 1_000);
		for (let left = ms; left > 0; left -= step) {
			this.clock.advance(Math.min(left, step));
			await new Promise((resolve) => setImmediate(resolve));
		}
	}

	/** Sends a request as it stands. */
	send(request: WireRequest): Promise<WireAnswer> {
		return this.door.send(request);
	}

	/** Sends a GET for a stream; resolves with the head of the answer. */
	get(headers: Readonly<Record<string, string | undefined>> = {}): Promise<WireAnswer> {
		return this.send({ method: 'GET', path: this.#path, headers: { accept: 'text/event-stream', ...headers } });
	}

	/** Opens a stream and reads its endpoint. */
	async open(headers: Readonly<Record<string, string | undefined>> = {}): Promise<SseClient> {
		const stream = await this.get(headers);
		const { data } = await stream.event(0);
		return new SseClient(this, stream, data ?? '', headers);
	}

	/** Opens a session, as a client does: a stream, `initialize`, then `notifications/initialized`. */
	async session(
		options: InitializeOptions = {},
		headers: Readonly<Record<string, string | undefined>> = {},
	): Promise<SseClient> {
		const client = await this.open(headers);
		await client.initialize(options);
		await client.notify('notifications/initialized');
		return client;
	}

	/** POSTs a body with the headers of a good client; `headers` are added, or replace them. */
	post(path: string, body: unknown, headers: Readonly<Record<string, string | undefined>> = {}): Promise<WireAnswer> {
		return this.send({
			path,
			headers: { 'content-type': 'application/json', ...headers },
			body: typeof body === 'string' ? body : JSON.stringify(body),
		});
	}
}

/** A client with a stream, down to the single message. */
export class SseClient {
	readonly stream: WireAnswer;
	/** Where to POST, as the endpoint event said. */
	readonly endpoint: string;
	readonly #rig: SseRig;
	readonly #headers: Readonly<Record<string, string | undefined>>;
	/** Shared with the same client at other nodes. */
	#count = { requests: 0 };

	constructor(
		rig: SseRig,
		stream: WireAnswer,
		endpoint: string,
		headers: Readonly<Record<string, string | undefined>>,
	) {
		this.#rig = rig;
		this.stream = stream;
		this.endpoint = endpoint;
		this.#headers = headers;
	}

	get id(): string {
		return new URL(this.endpoint, 'http://localhost').searchParams.get('sessionId') ?? '';
	}

	/** The same client, whose messages go to another node from now on. */
	at(node: SseRig): SseClient {
		const client = new SseClient(node, this.stream, this.endpoint, this.#headers);
		client.#count = this.#count;
		return client;
	}

	post(body: unknown, headers: Readonly<Record<string, string | undefined>> = {}): Promise<WireAnswer> {
		return this.#rig.post(this.endpoint, body, { ...this.#headers, ...headers });
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

	/** The answer to request `id`. */
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
	async initialize(options: InitializeOptions = {}): Promise<Received> {
		const message = initializeMessage({ protocolVersion: oldest, ...options });
		const { status, received } = await this.post(message);
		if (status !== 202) throw new Error(`initialize was not taken: ${status} ${received}`);
		return this.answerTo(message.id);
	}

	notify(method: string, params?: Loose): Promise<WireAnswer> {
		return this.post({ jsonrpc: '2.0', method, ...(params !== undefined && { params }) });
	}

	/** Answers a request of the server. */
	reply(id: unknown, result: Loose): Promise<WireAnswer> {
		return this.post({ jsonrpc: '2.0', id, result });
	}
}
