import type { ClientRequest, IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeProcess } from '../history/node-process.ts';
import { Client, type ClientOptions, initialized, initializeRequest } from './client.ts';
import { type Call, now } from './record.ts';
import { type Outgoing, open, readEvents, type SseEvent } from './wire.ts';

const protocolVersion = '2025-11-25';
/** How long a client waits for the head of an answer, in milliseconds. */
const headTimeoutMs = 5_000;
/** How long it looks whether a call that ended ends again, in milliseconds. */
const lookAgainMs = 300;

/** A client of Streamable HTTP that loses its connections as planned and comes back on any node. */
export class HttpClient extends Client {
	#id = '';
	/** Connections that it left or did not need any more. */
	readonly #open = new Set<ClientRequest>();

	constructor(options: ClientOptions) {
		super(options, 'http');
	}

	override async initialize(): Promise<void> {
		const begun = initializeRequest(this.session.name, protocolVersion);
		for (;;) {
			const answer = await this.exchange('initialize', this.post(begun));
			if ('headers' in answer && answer.status === 200) this.#id = String(answer.headers['mcp-session-id'] ?? '');
			if (this.#id !== '') break;
			if (this.isStopped) throw new Error(`${this.session.name} got no session.`);
			await sleep(20);
		}
		for (;;) {
			const { attempt } = await this.exchange('initialized', this.post(initialized));
			if (attempt.status === 202 || this.isStopped) return;
			await sleep(20);
		}
	}

	/** Ends the session through any node, as another client with its id would, and then asks every node for it. */
	async end(nodes: readonly NodeProcess[], forMs: number): Promise<void> {
		this.session.deletingAt = now();
		while (this.session.deletedAt === undefined) {
			const { attempt } = await this.exchange('DELETE', { method: 'DELETE', path: '/mcp', headers: this.#headers });
			if (attempt.status === 200) this.session.deletedAt = attempt.answeredAt;
			// An earlier attempt had its effect, though nobody heard of it.
			if (attempt.status === 404 || this.isStopped) return;
			if (attempt.status !== 200) await sleep(20);
		}
		const until = now() + forMs;
		while (now() < until) {
			await this.probe(nodes);
			await sleep(this.random.int(0, 60));
		}
	}

	/** Asks every node for the session. */
	async probe(nodes: readonly NodeProcess[]): Promise<void> {
		const ping = this.post({ jsonrpc: '2.0', id: `p${now()}`, method: 'ping' });
		const living = nodes.filter(({ origin }) => origin !== undefined);
		await Promise.all(living.map((node) => this.exchange('ping', ping, node)));
	}

	override async close(): Promise<void> {
		for (const connection of this.#open) connection.destroy();
		if (this.session.deletedAt !== undefined) return;
		await this.exchange('last DELETE', { method: 'DELETE', path: '/mcp', headers: this.#headers });
	}

	protected override post(body: Readonly<Record<string, unknown>>): Outgoing {
		return { method: 'POST', path: '/mcp', headers: { ...this.#headers, 'content-type': 'application/json' }, body };
	}

	protected override run(call: Call, node: NodeProcess): Promise<void> {
		return new CallReader(call, {
			connect: (outgoing, at) => this.#connect(call, outgoing, at),
			first: this.post(this.requestOf(call)),
			headers: this.#headers,
			pickNode: () => this.pickNode(),
			pause: () => sleep(this.random.int(10, 60)),
			lookAgain: () => this.random.chance(0.5),
			take: (message) => this.take(call, message),
			isStopped: () => this.isStopped,
		}).run(node);
	}

	get #headers(): Record<string, string> {
		return {
			accept: 'application/json, text/event-stream',
			...(this.#id !== '' && { 'mcp-session-id': this.#id, 'mcp-protocol-version': protocolVersion }),
		};
	}

	#connect(call: Call, outgoing: Outgoing, node: NodeProcess): ClientRequest {
		const { incarnation } = node;
		const sentAt = now();
		const connection = open(String(node.origin), outgoing);
		this.#open.add(connection);
		connection.on('response', ({ statusCode = 0 }) =>
			this.note({ what: `${outgoing.method} of ${call.nonce}`, node: incarnation, sentAt, status: statusCode }),
		);
		connection.on('close', () => this.#open.delete(connection));
		this.stopped.addEventListener('abort', () => connection.destroy(), { once: true });
		return connection;
	}
}

interface ReaderOptions {
	readonly first: Outgoing;
	readonly headers: Readonly<Record<string, string>>;
	connect(outgoing: Outgoing, node: NodeProcess): ClientRequest;
	pickNode(): NodeProcess | undefined;
	pause(): Promise<void>;
	lookAgain(): boolean;
	take(message: Readonly<Record<string, unknown>>): void;
	isStopped(): boolean;
}

/** How a connection of a call came to its end. */
type Outcome = 'closed' | 'dropped';

/** Reads one call over as many connections as it takes. */
class CallReader {
	readonly #call: Call;
	readonly #options: ReaderOptions;
	#lastEventId: string | undefined;
	/** Whether the response itself had an event id. */
	#endHadId = false;
	#drops = 0;

	constructor(call: Call, options: ReaderOptions) {
		this.#call = call;
		this.#options = options;
	}

	async run(node: NodeProcess): Promise<void> {
		const call = this.#call;
		await this.#read(this.#options.first, node);
		if (call.ends.length === 0 && !this.#options.isStopped()) {
			if (call.status !== 200) call.over ??= 'refused';
			else if (this.#lastEventId === undefined) call.over ??= 'no event id';
		}
		while (call.ends.length === 0 && call.over === undefined && !this.#options.isStopped()) {
			await this.#options.pause();
			await this.#resume();
		}
		// Who takes an error, or nothing, for no answer comes back after it: nothing more may come.
		if (call.ends.length === 1 && this.#endHadId && !this.#options.isStopped() && this.#options.lookAgain()) {
			call.lookedAgain = true;
			await this.#resume(lookAgainMs);
		}
	}

	async #resume(forMs?: number): Promise<void> {
		const node = this.#options.pickNode();
		if (node?.origin === undefined || this.#lastEventId === undefined) return;
		this.#call.resumes++;
		const headers = { ...this.#options.headers, 'last-event-id': this.#lastEventId };
		await this.#read({ method: 'GET', path: '/mcp', headers }, node, forMs);
	}

	/** Reads one connection until it is closed, lost as planned, or `forMs` are over. */
	async #read(outgoing: Outgoing, node: NodeProcess, forMs?: number): Promise<void> {
		const call = this.#call;
		const drop = forMs === undefined ? call.plan.drops[this.#drops] : undefined;
		const connection = this.#options.connect(outgoing, node);
		const outcome = await new Promise<Outcome>((resolve) => {
			let heard = true;
			let timer: NodeJS.Timeout | undefined;
			let incoming: IncomingMessage | undefined;
			const noHead = setTimeout(() => connection.destroy(), headTimeoutMs);
			const lose = (openly: boolean) => {
				heard = false;
				if (openly) connection.destroy();
				else incoming?.pause();
				resolve('dropped');
			};
			if (forMs !== undefined) timer = setTimeout(() => lose(true), forMs);
			connection.on('response', (response) => {
				clearTimeout(noHead);
				incoming = response;
				if (drop !== undefined) timer = setTimeout(() => lose(drop.openly), drop.afterMs);
				this.#head(outgoing, response, () => heard, connection);
			});
			connection.on('close', () => {
				clearTimeout(noHead);
				clearTimeout(timer);
				resolve('closed');
			});
		});
		if (outcome !== 'dropped' || drop === undefined) return;
		this.#drops++;
		call.dropped = true;
		await sleep(drop.pauseMs);
	}

	#head(outgoing: Outgoing, response: IncomingMessage, isHeard: () => boolean, connection: ClientRequest): void {
		const call = this.#call;
		const { statusCode = 0, headers } = response;
		if (outgoing.method === 'POST') call.status = statusCode;
		else if (statusCode === 405 && call.ends.length === 0) call.over ??= 'stream over';
		else if (statusCode === 400) {
			call.wrongs.push('a node refused its event id');
			call.over ??= 'refused';
		}
		if (statusCode === 404 && call.ends.length === 0) call.over ??= 'session gone';
		if (statusCode !== 200) return void response.resume();
		if (headers['content-type']?.startsWith('application/json')) return this.#readJson(response, isHeard);
		readEvents(response, (event) => {
			// What a connection says that was left is not heard: the next one continues after the last event that was.
			if (!isHeard()) return;
			this.#event(event);
			// A stream that ended is closed by the node, soon.
			if (call.ends.length === 1) setTimeout(() => connection.destroy(), lookAgainMs);
		});
	}

	#readJson(response: IncomingMessage, isHeard: () => boolean): void {
		let text = '';
		response.setEncoding('utf8').on('data', (chunk: string) => {
			text += chunk;
		});
		response.on('end', () => {
			if (response.complete && isHeard()) this.#options.take(JSON.parse(text));
		});
		response.on('error', () => {});
	}

	#event({ id, data }: SseEvent): void {
		const before = this.#call.ends.length;
		if (id !== undefined) this.#lastEventId = id;
		if (data !== '') this.#options.take(JSON.parse(data));
		if (this.#call.ends.length > before) this.#endHadId = id !== undefined;
	}
}
