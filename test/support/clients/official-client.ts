import {
	Client as ClientV2,
	StreamableHTTPClientTransport as HttpV2,
	SSEClientTransport as SseV2,
} from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport as SseV1 } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport as TransportV1 } from '@modelcontextprotocol/sdk/shared/transport.js';
import {
	type CreateMessageRequestParams,
	CreateMessageRequestSchema,
	type CreateMessageResultWithTools,
	type ElicitRequestParams,
	ElicitRequestSchema,
	type ElicitResult,
	ListRootsRequestSchema,
	type LoggingLevel,
	type Root,
} from '@modelcontextprotocol/sdk/types.js';
import { onTestFinished } from 'vitest';
import { Mailbox } from '../mailbox.ts';
import { type Sdk, v1McpServer, v2McpServer } from '../servers.ts';
import type { Loose } from './wire-response.ts';

/** A notification as a client hears it. */
export interface Heard {
	readonly method: string;
	readonly params?: { readonly [key: string]: unknown } | undefined;
}

/** One HTTP exchange as a client sees it. */
export interface Exchange {
	readonly method: string;
	readonly lastEventId: string | null;
	/** `0`: there was no response. */
	readonly status: number;
}

/** How the user and the model at a client's end answer. */
export interface Answers {
	elicit(question: ElicitRequestParams): ElicitResult | Promise<ElicitResult>;
	sample(question: CreateMessageRequestParams): CreateMessageResultWithTools;
	roots(): Root[];
}

/** How a call is made. */
export interface CallOptions {
	readonly onprogress?: (progress: number) => void;
	/** From which level on the call is logged, where there is no session to set it for (2026-07-28). */
	readonly logLevel?: LoggingLevel;
	readonly signal?: AbortSignal;
}

/** What the client speaks: Streamable HTTP, or HTTP+SSE. */
export type Wire = 'http' | 'sse';

/** Which revision a client of SDK v2 asks for: one without sessions first, one with, or this one and no other. */
export type Mode = 'auto' | 'legacy' | { readonly pin: string };

/** Which SDK makes the client, and which the server. */
export interface Pair {
	readonly client: 'v1' | 'v2';
	readonly server: Sdk;
}

/** Every pair of the two SDKs. */
export const pairs: readonly Pair[] = [v1McpServer, v2McpServer].flatMap((server) => [
	{ client: 'v1' as const, server },
	{ client: 'v2' as const, server },
]);

const info = { name: 'official', version: '1.0.0' };
const capabilities = { elicitation: { form: {}, url: {} }, sampling: { tools: {} }, roots: { listChanged: true } };
const reconnectionOptions = {
	initialReconnectionDelay: 10,
	maxReconnectionDelay: 50,
	reconnectionDelayGrowFactor: 1.5,
	maxRetries: 5,
};

/**
 * Connects the official client of one SDK to `base`, an origin and perhaps a prefix; it is closed when the test is
 * over.
 */
export async function connectOfficial(
	sdk: 'v1' | 'v2',
	base: string,
	answers: Partial<Answers> = {},
	wire: Wire = 'http',
	mode: Mode = 'legacy',
): Promise<OfficialClient> {
	const url = new URL(`${base}${wire === 'http' ? '/mcp' : '/sse'}`);
	const given = { ...agreeable, ...answers };
	const client = sdk === 'v1' ? new OfficialClientV1(wire, url, given) : new OfficialClientV2(wire, url, given, mode);
	onTestFinished(() => client.close());
	await client.connect();
	return client;
}

const agreeable: Answers = {
	elicit: () => ({ action: 'accept', content: {} }),
	sample: () => ({ role: 'assistant', model: 'agreeable', content: { type: 'text', text: 'yes' } }),
	roots: () => [],
};

/** A client of either official SDK, in the one shape that fits both. */
export abstract class OfficialClient {
	/** Every notification but progress, in order. */
	readonly heard = new Mailbox<Heard>();
	/** Every HTTP exchange whose head is there, in order. */
	readonly exchanges = new Mailbox<Exchange>();
	/** Whatever the client complains about. */
	readonly errors: Error[] = [];
	/** The session that the last POST named in its query. */
	#postedTo: string | undefined;
	protected abstract readonly client: ClientV1 | ClientV2;
	protected abstract readonly transport: HttpV1 | HttpV2 | SseV1 | SseV2;

	abstract connect(): Promise<void>;

	protected abstract callTool(params: Loose, options: Loose): Promise<Loose>;

	/** Whether the client has a session. */
	get hasSession(): boolean {
		return 'sessionId' in this.transport && this.transport.sessionId !== undefined;
	}

	get sessionId(): string {
		const id = 'sessionId' in this.transport ? this.transport.sessionId : this.#postedTo;
		if (id === undefined) throw new Error('The client has no session.');
		return id;
	}

	/** The values that it heard logged, in order. */
	get logged(): unknown[] {
		return this.heard.items
			.filter(({ method }) => method === 'notifications/message')
			.map(({ params }) => params?.['data']);
	}

	/** The text that a tool answers. */
	async call(name: string, args: Loose = {}, { signal, onprogress, logLevel }: CallOptions = {}): Promise<string> {
		const options = {
			...(signal && { signal }),
			...(onprogress && { onprogress: ({ progress }: { progress: number }) => onprogress(progress) }),
		};
		const _meta = logLevel && { 'io.modelcontextprotocol/logLevel': logLevel };
		const { isError, content } = await this.callTool({ name, arguments: args, ...(_meta && { _meta }) }, options);
		if (isError) throw new Error(`The tool failed: ${content[0].text}`);
		return content[0].text;
	}

	/** Resolves once `count` values were logged. */
	async untilLogged(count: number): Promise<unknown[]> {
		await this.heard.until(() => this.logged.length >= count, `log message number ${count}`);
		return this.logged;
	}

	ping(): Promise<unknown> {
		return this.client.ping();
	}

	async listTools(): Promise<string[]> {
		return (await this.client.listTools()).tools.map(({ name }) => name);
	}

	/** Begins to hear of changed tools and of a resource, in the way of the revision that it speaks. */
	async watch(uri: string): Promise<void> {
		// A broadcast reaches a session from its first stream on, which the client opens by itself.
		await this.exchanges.until(
			(seen) => seen.some(({ method, status }) => method === 'GET' && status === 200),
			'session stream',
		);
		await this.subscribe(uri);
	}

	subscribe(uri: string): Promise<unknown> {
		return this.client.subscribeResource({ uri });
	}

	unsubscribe(uri: string): Promise<unknown> {
		return this.client.unsubscribeResource({ uri });
	}

	setLoggingLevel(level: LoggingLevel): Promise<unknown> {
		return this.client.setLoggingLevel(level);
	}

	/** Ends the session with DELETE. */
	terminate(): Promise<void> {
		if (!('terminateSession' in this.transport)) throw new Error('A client of HTTP+SSE cannot end its session.');
		return this.transport.terminateSession();
	}

	close(): Promise<void> {
		return this.client.close();
	}

	protected readonly fetch = async (url: string | URL, init?: RequestInit): Promise<Response> => {
		this.#postedTo = new URL(url).searchParams.get('sessionId') ?? this.#postedTo;
		const seen = { method: init?.method ?? 'GET', lastEventId: new Headers(init?.headers).get('last-event-id') };
		try {
			const response = await fetch(url, init);
			this.exchanges.push({ ...seen, status: response.status });
			return response;
		} catch (error) {
			this.exchanges.push({ ...seen, status: 0 });
			throw error;
		}
	};

	protected listen(): void {
		this.client.onerror = (error) => this.errors.push(error);
		this.client.fallbackNotificationHandler = async (notification: Heard) => this.heard.push(notification);
	}
}

class OfficialClientV1 extends OfficialClient {
	protected readonly client = new ClientV1(info, { capabilities });
	protected readonly transport: HttpV1 | SseV1;

	constructor(wire: Wire, url: URL, answers: Answers) {
		super();
		const { fetch } = this;
		this.transport = wire === 'http' ? new HttpV1(url, { reconnectionOptions, fetch }) : new SseV1(url, { fetch });
		this.client.setRequestHandler(ElicitRequestSchema, ({ params }) => answers.elicit(params));
		this.client.setRequestHandler(CreateMessageRequestSchema, ({ params }) => answers.sample(params));
		this.client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: answers.roots() }));
		this.listen();
	}

	connect(): Promise<void> {
		// Its `sessionId` is declared in a way that exactOptionalPropertyTypes refuses.
		return this.client.connect(this.transport as TransportV1);
	}

	protected callTool(params: Loose, options: Loose): Promise<Loose> {
		return this.client.callTool(params, undefined, options);
	}
}

class OfficialClientV2 extends OfficialClient {
	protected readonly client: ClientV2;
	protected readonly transport: HttpV2 | SseV2;

	constructor(wire: Wire, url: URL, answers: Answers, mode: Mode) {
		super();
		this.client = new ClientV2(info, { capabilities, versionNegotiation: { mode } });
		const { fetch } = this;
		this.transport = wire === 'http' ? new HttpV2(url, { reconnectionOptions, fetch }) : new SseV2(url, { fetch });
		this.client.setRequestHandler('elicitation/create', ({ params }) => answers.elicit(params));
		// The two SDKs differ in how they write down the type of structured content in the results of tools.
		this.client.setRequestHandler('sampling/createMessage', ({ params }: Loose) => answers.sample(params));
		this.client.setRequestHandler('roots/list', () => ({ roots: answers.roots() }));
		this.listen();
	}

	connect(): Promise<void> {
		return this.client.connect(this.transport);
	}

	override async watch(uri: string): Promise<void> {
		if (this.hasSession) await super.watch(uri);
		else await this.client.listen({ toolsListChanged: true, resourceSubscriptions: [uri] });
	}

	protected callTool(params: Loose, options: Loose): Promise<Loose> {
		return this.client.callTool(params, options);
	}
}
