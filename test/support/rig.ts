import type { Session } from '@holdfast/session-manager';
import { ManualClock } from '@holdfast/session-manager/testing';
import type { AuthInfo, SdkServer } from '@holdfast/transport';
import { HttpTransport, type HttpTransportOptions } from '@holdfast/transport-http';
import { onTestFinished } from 'vitest';
import type { Loose, Received, WireResponse } from './clients/wire-response.ts';
import type { Door, OpenDoor, WireRequest } from './doors.ts';
import { type Sdk, type ServerDesign, type Tool, v1McpServer } from './servers.ts';

export const LATEST = '2025-11-25';

/** What a test wants of its server. */
export interface RigOptions extends HttpTransportOptions, Partial<ServerDesign> {
	/** Which SDK makes the servers (default v1's `McpServer`). */
	readonly sdk?: Sdk;
	/** Makes the servers itself. */
	readonly createServer?: (session: Session) => SdkServer | Promise<SdkServer>;
	/** Who every request comes from, as an authentication in front of the transport found out. */
	readonly authInfo?: AuthInfo;
}

/** What a client says when it opens a session. */
export interface OpenOptions {
	readonly protocolVersion?: string;
	readonly capabilities?: Loose;
	readonly clientInfo?: Loose;
}

/** Tools that most tests need. */
export const tools = {
	echo: ({ args }) => String(args['text']),
	log: async ({ args, here }) => {
		for (let n = 1; n <= (args['count'] ?? 1); n++) await here.log(args['level'] ?? 'info', { n });
		return 'logged';
	},
} satisfies Record<string, Tool>;

/** A transport behind a door, with a clock that stands still; closed when the test is over. */
export class Rig {
	readonly transport: HttpTransport;
	readonly clock: ManualClock;
	readonly door: OpenDoor;
	/** What `onerror` was told. */
	readonly errors: Error[];
	/** The session of each server that was made, in order. */
	readonly made: Session[];

	private constructor(transport: HttpTransport, clock: ManualClock, door: OpenDoor, errors: Error[], made: Session[]) {
		this.transport = transport;
		this.clock = clock;
		this.door = door;
		this.errors = errors;
		this.made = made;
	}

	static async open(door: Door, options: RigOptions = {}): Promise<Rig> {
		const {
			sdk = v1McpServer,
			createServer,
			tools: own,
			subscribeHandler,
			capabilities,
			authInfo,
			...transportOptions
		} = options;
		const design = { tools: { ...tools, ...own }, ...(subscribeHandler && { subscribeHandler }), capabilities };
		const clock = (options.clock as ManualClock | undefined) ?? new ManualClock(1_000_000);
		const errors: Error[] = [];
		const made: Session[] = [];
		const transport = new HttpTransport(
			(session) => {
				// A request of 2026-07-28 has none, and its tools do not look.
				const given = session as Session;
				made.push(given);
				return createServer === undefined ? sdk.make(design, given) : createServer(given);
			},
			{ clock, onerror: (error) => errors.push(error), ...transportOptions },
		);
		const opened = await door.open(authInfo === undefined ? transport : withAuth(transport, authInfo));
		onTestFinished(async () => {
			await transport.close();
			await opened.close();
		});
		return new Rig(transport, clock, opened, errors, made);
	}

	/** Sends a request as it stands. */
	send(request: WireRequest): Promise<WireResponse> {
		return this.door.send(request);
	}

	/** POSTs a body with the headers of a good client; `headers` are added, or replace them. */
	post(body: unknown, headers: Readonly<Record<string, string | undefined>> = {}): Promise<WireResponse> {
		return this.send({
			headers: { ...postHeaders, ...headers },
			body: typeof body === 'string' ? body : JSON.stringify(body),
		});
	}

	/** POSTs `initialize`. */
	initialize(options: OpenOptions = {}): Promise<WireResponse> {
		return this.post(initializeMessage(options));
	}

	/** Opens a session, as a client does: `initialize`, then `notifications/initialized`. */
	async session(options: OpenOptions = {}): Promise<TestClient> {
		const answer = await this.initialize(options);
		const { result } = await answer.answer();
		const client = new TestClient(this, answer.headers.get('mcp-session-id') ?? '', result.protocolVersion, result);
		await client.notify('notifications/initialized');
		return client;
	}
}

/** The doors of a transport behind an authentication. */
function withAuth(transport: HttpTransport, authInfo: AuthInfo): Pick<HttpTransport, 'handle' | 'respond'> {
	return {
		handle: (request, response) => transport.handle(Object.assign(request, { auth: authInfo }), response),
		respond: (request) => transport.respond(request, { authInfo }),
	};
}

export const postHeaders: Readonly<Record<string, string>> = {
	accept: 'application/json, text/event-stream',
	'content-type': 'application/json',
};

/** An `initialize` request. */
export function initializeMessage({
	protocolVersion = LATEST,
	capabilities = {},
	clientInfo,
}: OpenOptions = {}): Loose {
	return {
		jsonrpc: '2.0',
		id: 'init',
		method: 'initialize',
		params: { protocolVersion, capabilities, clientInfo: clientInfo ?? { name: 'test-client', version: '0.1.0' } },
	};
}

/** A client in a session, down to the single message. */
export class TestClient {
	readonly rig: Rig;
	readonly id: string;
	readonly protocolVersion: string;
	/** The result of `initialize`. */
	readonly result: Loose;
	#requests = 0;

	constructor(rig: Rig, id: string, protocolVersion: string, result: Loose) {
		this.rig = rig;
		this.id = id;
		this.protocolVersion = protocolVersion;
		this.result = result;
	}

	/** Headers of every request of the session. */
	get headers(): Record<string, string> {
		return { 'mcp-session-id': this.id, 'mcp-protocol-version': this.protocolVersion };
	}

	/** The id of the request that was sent last. */
	get lastRequestId(): number {
		return this.#requests;
	}

	post(body: unknown, headers: Readonly<Record<string, string | undefined>> = {}): Promise<WireResponse> {
		return this.rig.post(body, { ...this.headers, ...headers });
	}

	/** A request with the next id; resolves with the head of its response. */
	request(method: string, params?: Loose): Promise<WireResponse> {
		return this.post({ jsonrpc: '2.0', id: ++this.#requests, method, ...(params !== undefined && { params }) });
	}

	/** Calls a tool; resolves with the head of the response. */
	call(name: string, args: Loose = {}, meta?: Loose): Promise<WireResponse> {
		return this.request('tools/call', { name, arguments: args, ...(meta !== undefined && { _meta: meta }) });
	}

	/** Calls a tool and resolves with the text of its result. */
	async ask(name: string, args: Loose = {}): Promise<string> {
		return textOf(await (await this.call(name, args)).answer());
	}

	notify(method: string, params?: Loose): Promise<WireResponse> {
		return this.post({ jsonrpc: '2.0', method, ...(params !== undefined && { params }) });
	}

	/** Answers a request of the server. */
	reply(id: unknown, result: Loose): Promise<WireResponse> {
		return this.post({ jsonrpc: '2.0', id, result });
	}

	/** Answers a request of the server with an error. */
	refuse(id: unknown, code: number, message: string): Promise<WireResponse> {
		return this.post({ jsonrpc: '2.0', id, error: { code, message } });
	}

	/** Opens the session stream, or resumes a stream after `lastEventId`. */
	get(lastEventId?: string): Promise<WireResponse> {
		return this.rig.send({
			method: 'GET',
			headers: { accept: 'text/event-stream', ...this.headers, 'last-event-id': lastEventId },
		});
	}

	delete(): Promise<WireResponse> {
		return this.rig.send({ method: 'DELETE', headers: this.headers });
	}
}

/** The text of a tool's result; fails on an error. */
export function textOf(message: Received): string {
	if (message.result === undefined) throw new Error(`Not a result: ${JSON.stringify(message)}`);
	return message.result.content[0].text;
}
