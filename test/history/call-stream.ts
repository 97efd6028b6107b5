import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HistoryClient } from './client.ts';
import type { ClientHistory, Received, Sent } from './history.ts';
import type { Random } from './random.ts';

/**
 * How a call ended: with its answer, with an error, or the client lost it before it had an event id to come back with.
 */
export type CallEnd = 'answered' | 'failed' | 'lost' | 'refused';

/** Longer than that nobody waits for a node that died. */
const deadlineMs = 20_000;

/** A call whose messages and answer come on a stream of its own, which the client loses and resumes on any node. */
export class CallStream {
	readonly writer: string;
	readonly count: number;
	readonly #client: HistoryClient;
	readonly #random: Random;
	readonly #received: Received[] = [];
	readonly #begunAt = performance.now();
	#lastEventId: string | undefined;
	#end: CallEnd | undefined;

	constructor(client: HistoryClient, writer: string, random: Random) {
		this.#client = client;
		this.writer = writer;
		this.#random = random;
		this.count = random.int(3, 30);
	}

	get history(): ClientHistory {
		const { name, history } = this.#client;
		return { ...history, name, begunAt: this.#begunAt, firstAttemptFailed: false, received: this.#received };
	}

	/** What it must have got if nothing went wrong meanwhile: a call is not told whether its messages were taken. */
	get sent(): Sent[] {
		const message = { writer: this.writer, to: [this.#client.name], sentAt: this.#begunAt };
		return Array.from({ length: this.count }, (_, index) => ({ ...message, n: index + 1, outcome: 'taken' }));
	}

	/** How it ended; `undefined` while it has not. */
	get end(): CallEnd | undefined {
		return this.#end;
	}

	/** Calls, and comes back until the call has ended, or should have. */
	async run(): Promise<void> {
		while (this.#end === undefined && performance.now() < this.#begunAt + deadlineMs) {
			const first = this.#lastEventId === undefined;
			const origin = this.#client.pickOrigin();
			const status = origin === undefined ? 0 : await this.#connect(origin, first);
			if (first && this.#lastEventId === undefined) this.#end ??= status === 200 ? 'lost' : 'refused';
			if (this.#end === undefined) await sleep(this.#random.int(0, 60));
		}
	}

	/** Reads one connection until it ends, or until the client loses it. */
	#connect(origin: string, first: boolean): Promise<number> {
		const headers = {
			...this.#client.headers,
			...(first ? { 'content-type': 'application/json' } : { 'last-event-id': this.#lastEventId }),
		};
		return new Promise((resolve) => {
			let status = 0;
			const connection = request(`${origin}/mcp`, { method: first ? 'POST' : 'GET', headers, agent: false });
			const lose = setTimeout(() => connection.destroy(), this.#random.int(5, 150));
			connection.on('response', (response) => {
				status = response.statusCode ?? 0;
				if (status === 404) this.#end = 'lost';
				if (status !== 200) connection.destroy();
				else this.#read(connection, response);
			});
			connection.on('error', () => {});
			connection.on('close', () => {
				clearTimeout(lose);
				resolve(status);
			});
			const params = {
				name: 'log_here',
				arguments: { writer: this.writer, count: this.count, to: [this.#client.name] },
			};
			connection.end(
				first ? JSON.stringify({ jsonrpc: '2.0', id: this.writer, method: 'tools/call', params }) : undefined,
			);
		});
	}

	#read(connection: ClientRequest, response: IncomingMessage): void {
		let text = '';
		response.setEncoding('utf8').on('data', (chunk: string) => {
			const events = (text + chunk).split('\n\n');
			text = events.pop() ?? '';
			for (const event of events) if (this.#end === undefined) this.#take(event);
			if (this.#end !== undefined) connection.destroy();
		});
		response.on('error', () => {});
	}

	#take(event: string): void {
		let data = '';
		for (const line of event.split('\n')) {
			if (line.startsWith('id: ')) this.#lastEventId = line.slice(4);
			else if (line.startsWith('data: ')) data = line.slice(6);
		}
		if (data === '') return;
		const { id, error, params } = JSON.parse(data);
		if (id === undefined) this.#received.push({ at: performance.now(), type: 'message', ...params.data });
		else this.#end = error === undefined ? 'answered' : 'failed';
	}
}
