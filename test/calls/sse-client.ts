import type { ClientRequest } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeProcess } from '../history/node-process.ts';
import { Client, type ClientOptions, initialized, initializeRequest } from './client.ts';
import { type Call, now } from './record.ts';
import { type Outgoing, open, readEvents, type SseEvent } from './wire.ts';

/** How long it waits for the first event, and for the answer to `initialize`, in milliseconds. */
const openTimeoutMs = 3_000;

/** A client of HTTP+SSE (2024-11-05): one stream, which nothing brings back, and messages to any node. */
export class SseClient extends Client {
	#stream: ClientRequest | undefined;
	#endpoint: string | undefined;
	#initialized = false;

	constructor(options: ClientOptions) {
		super(options, 'sse');
	}

	override async initialize(): Promise<void> {
		while (!this.#initialized) {
			if (this.isStopped) throw new Error(`${this.session.name} got no session.`);
			this.#stream?.destroy();
			this.#endpoint = undefined;
			const node = this.pickNode();
			if (node?.origin !== undefined) await this.#begin(node.origin);
			await sleep(20);
		}
		this.session.streamLost = this.#stream?.closed ?? true;
		for (;;) {
			const { attempt } = await this.exchange('initialized', this.post(initialized));
			if (attempt.status === 202 || this.isStopped || this.session.streamLost) return;
			await sleep(20);
		}
	}

	override async close(): Promise<void> {
		const stream = this.#stream;
		// It is not lost.
		this.#stream = undefined;
		stream?.destroy();
	}

	protected override post(body: Readonly<Record<string, unknown>>): Outgoing {
		const headers = { 'content-type': 'application/json' };
		return { method: 'POST', path: this.#endpoint ?? '/messages', headers, body };
	}

	protected override async run(call: Call, node: NodeProcess): Promise<void> {
		if (this.session.streamLost) {
			call.over = 'stream lost';
			return;
		}
		const { attempt } = await this.exchange(`POST of ${call.nonce}`, this.post(this.requestOf(call)), node);
		call.status = attempt.status;
		// Without an answer nobody knows whether it runs.
		if (attempt.status !== 202) {
			call.over = 'refused';
			return;
		}
		while (call.ends.length === 0 && !this.isStopped && !this.session.streamLost) {
			if (call.plan.kind === 'cancelled' && call.cancels.some(({ status }) => status === 202)) return;
			await sleep(10);
		}
		if (call.ends.length === 0 && this.session.streamLost) call.over = 'stream lost';
	}

	async #begin(origin: string): Promise<void> {
		const { session } = this;
		const stream = open(origin, { method: 'GET', path: '/sse', headers: { accept: 'text/event-stream' } });
		this.#stream = stream;
		stream.on('response', (response) => readEvents(response, (event) => this.#event(event)));
		stream.on('close', () => {
			if (this.#stream === stream && this.#initialized) session.streamLost = true;
		});
		const until = now() + openTimeoutMs;
		while (this.#endpoint === undefined) {
			if (now() > until || stream.closed) return;
			await sleep(5);
		}
		await this.exchange('initialize', this.post(initializeRequest(session.name, '2024-11-05')));
		while (!this.#initialized && now() < until && !stream.closed) await sleep(5);
	}

	#event({ type, data }: SseEvent): void {
		if (type === 'endpoint') {
			this.#endpoint = data;
			return;
		}
		if (data === '') return;
		const message = JSON.parse(data);
		if (message.id === 'initialize') {
			this.#initialized = true;
			return;
		}
		const text = data.slice(0, 5_000);
		const call = this.calls.find(({ nonce }) => message.id === nonce || text.includes(`"${nonce}"`));
		if (call !== undefined) this.take(call, message);
		// A list that changed, a resource to read again: the whole notice of a gap.
		else if (message.id !== undefined) this.session.wrongs.push(`a foreign message: ${text.slice(0, 200)}`);
	}
}
