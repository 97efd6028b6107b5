import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { ClientHistory, Received } from './history.ts';
import type { Random } from './random.ts';

/** Where nodes are now; dead ones are left out. */
export type Origins = () => readonly string[];

const protocolVersion = '2025-11-25';
const requestTimeoutMs = 3_000;

/**
 * A client as the specification wants it: it keeps the last event id, comes back with it after every loss of its
 * connection, on any node, and reads one session stream at a time.
 */
export class HistoryClient {
	readonly name: string;
	sessionId = '';
	readonly #origins: Origins;
	readonly #random: Random;
	readonly #received: Received[] = [];
	/** Connections it walked away from without closing them: the server must. */
	readonly #abandoned = new Set<ClientRequest>();
	#current: ClientRequest | undefined;
	#lastEventId: string | undefined;
	#retry: NodeJS.Timeout | undefined;
	#attempts = 0;
	#failedBeforeAttached = false;
	#attachedAt: number | undefined;
	#begunAt = Number.POSITIVE_INFINITY;
	#lostSession = false;
	#closed = false;
	#id = 0;

	constructor(name: string, origins: Origins, random: Random) {
		this.name = name;
		this.#origins = origins;
		this.#random = random;
	}

	get history(): ClientHistory {
		return {
			name: this.name,
			begunAt: this.#begunAt,
			attachedAt: this.#attachedAt,
			firstAttemptFailed: this.#failedBeforeAttached,
			lostSession: this.#lostSession,
			received: this.#received,
		};
	}

	/** How many connections it left are still open. */
	get leftOpen(): number {
		return this.#abandoned.size;
	}

	get lostSession(): boolean {
		return this.#lostSession;
	}

	/** What each of its requests has. */
	get headers(): Record<string, string> {
		return {
			accept: 'application/json, text/event-stream',
			...(this.sessionId !== '' && { 'mcp-session-id': this.sessionId, 'mcp-protocol-version': protocolVersion }),
		};
	}

	/** How often it asked for its stream. */
	get attempts(): number {
		return this.#attempts;
	}

	/** Begins a session that is subscribed to one resource; tries until a node takes it. */
	async initialize(): Promise<void> {
		const params = { protocolVersion, capabilities: {}, clientInfo: { name: this.name, version: '1' } };
		const begun = await this.#insist(() => this.#post('initialize', params));
		this.sessionId = String(begun.headers['mcp-session-id']);
		this.#begunAt = performance.now();
		await this.#insist(() => this.#post('notifications/initialized', undefined, true));
		await this.#insist(() => this.#post('resources/subscribe', { uri: this.#uri }));
	}

	/** Calls the tool that writes `count` messages on the session stream; what became of them nobody can say. */
	async callTool(writer: string, count: number): Promise<void> {
		const params = { name: 'log', arguments: { writer, count, to: [this.name] } };
		await this.#post('tools/call', params).catch(() => undefined);
	}

	/** Where to send its next request; `undefined` while no node lives. */
	pickOrigin(): string | undefined {
		const origins = this.#origins();
		return origins.length === 0 ? undefined : this.#random.pick(origins);
	}

	/** Opens the session stream on any node, and from then on comes back whenever it is lost. */
	open(): void {
		if (this.#closed || this.#lostSession) return;
		clearTimeout(this.#retry);
		const origin = this.pickOrigin();
		if (origin === undefined) return this.#openLater();
		this.#attempts++;
		const headers = {
			...this.headers,
			...(this.#lastEventId !== undefined && { 'last-event-id': this.#lastEventId }),
		};
		const connection = request(`${origin}/mcp`, { headers, agent: false });
		this.#current = connection;
		connection.on('response', (response) => this.#read(connection, response));
		connection.on('error', () => {});
		connection.on('close', () => {
			this.#abandoned.delete(connection);
			if (this.#current === connection) this.#lost();
		});
		connection.end();
	}

	/** Loses its connection, openly or by walking away from it, and comes back after `pauseMs`. */
	drop(pauseMs: number, openly: boolean): void {
		const connection = this.#current;
		this.#current = undefined;
		if (this.#attachedAt === undefined && connection !== undefined) this.#failedBeforeAttached = true;
		if (openly) connection?.destroy();
		else if (connection !== undefined) this.#abandoned.add(connection);
		clearTimeout(this.#retry);
		this.#retry = setTimeout(() => this.open(), pauseMs);
	}

	/** Whether it got message `n` of `writer`. */
	has(writer: string, n: number): boolean {
		return this.#received.some((event) => event.type === 'message' && event.writer === writer && event.n === n);
	}

	/** Ends its session and its connections. */
	async close(): Promise<void> {
		this.#closed = true;
		clearTimeout(this.#retry);
		await this.#send('DELETE').catch(() => undefined);
		this.#current?.destroy();
		for (const connection of this.#abandoned) connection.destroy();
	}

	get #uri(): string {
		return `test://${this.name}`;
	}

	#read(connection: ClientRequest, response: IncomingMessage): void {
		if (response.statusCode !== 200) {
			response.resume();
			if (response.statusCode === 404 && this.#current === connection) this.#lostSession = true;
			connection.destroy();
			return;
		}
		let text = '';
		response.setEncoding('utf8').on('data', (chunk: string) => {
			// What a connection says that was left is not heard: the next one continues after the last event that was.
			if (this.#current !== connection) return;
			const events = (text + chunk).split('\n\n');
			text = events.pop() ?? '';
			for (const event of events) this.#take(event);
		});
		response.on('error', () => {});
	}

	#take(event: string): void {
		const at = performance.now();
		let data = '';
		for (const line of event.split('\n')) {
			if (line.startsWith('id: ')) {
				this.#lastEventId = line.slice(4);
				this.#attachedAt ??= at;
			} else if (line.startsWith('data: ')) data = line.slice(6);
		}
		if (data === '') return;
		const { method, params } = JSON.parse(data);
		if (method === 'notifications/message') this.#received.push({ at, type: 'message', ...params.data });
		else if (method === 'notifications/tools/list_changed') this.#received.push({ at, type: 'reread', what: 'tools' });
		else if (method === 'notifications/resources/list_changed')
			this.#received.push({ at, type: 'reread', what: 'resources' });
		else if (method === 'notifications/resources/updated') {
			this.#received.push({
				at,
				type: 'reread',
				what: params.uri === this.#uri ? 'subscription' : `foreign ${params.uri}`,
			});
		}
	}

	#lost(): void {
		this.#current = undefined;
		if (this.#attachedAt === undefined) this.#failedBeforeAttached = true;
		this.#openLater();
	}

	#openLater(): void {
		if (!this.#closed && !this.#lostSession) this.#retry = setTimeout(() => this.open(), this.#random.int(5, 40));
	}

	/** Tries until an answer is good. */
	async #insist(attempt: () => Promise<Answer>): Promise<Answer> {
		const end = performance.now() + 20_000;
		for (;;) {
			const answer = await attempt().catch(() => undefined);
			if (answer !== undefined && answer.status < 300 && !answer.text.includes('"error"')) return answer;
			if (performance.now() > end) throw new Error(`${this.name} got no good answer in time: ${answer?.text}`);
			await new Promise((resolve) => setTimeout(resolve, 20));
		}
	}

	#post(method: string, params: unknown, notification = false): Promise<Answer> {
		return this.#send('POST', { jsonrpc: '2.0', ...(!notification && { id: ++this.#id }), method, params });
	}

	#send(method: string, body?: unknown): Promise<Answer> {
		const origin = this.pickOrigin();
		if (origin === undefined) return Promise.reject(new Error('No node lives.'));
		const headers = { ...this.headers, 'content-type': 'application/json' };
		return new Promise((resolve, reject) => {
			const outgoing = request(`${origin}/mcp`, { method, headers, agent: false, timeout: requestTimeoutMs });
			outgoing.on('response', (response) => {
				let text = '';
				response.setEncoding('utf8').on('data', (chunk: string) => {
					text += chunk;
				});
				response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
				response.on('error', reject);
			});
			outgoing.on('timeout', () => outgoing.destroy(new Error('No answer in time.')));
			outgoing.on('error', reject);
			outgoing.end(body === undefined ? undefined : JSON.stringify(body));
		});
	}
}

interface Answer {
	readonly status: number;
	readonly headers: IncomingMessage['headers'];
	readonly text: string;
}
