import assert from 'node:assert/strict';
import type { InMemoryStreamSessionManager } from '@holdfast/session-manager';
import {
	isThenable,
	type StreamAttachment,
	type StreamContinuation,
	type StreamController,
	type StreamCreateOptions,
} from '@holdfast/session-manager/custom';

/** One SSE event as a client receives it. */
export interface Received {
	readonly id: string | undefined;
	readonly data: string;
}

/** One SSE event as a caller of `send` writes it. */
export function sse(data: string | number): string {
	return `event: message\ndata: ${data}\n\n`;
}

/** Opens a stream, which takes no time; it continues with a `gap` where the client was told of one. */
export function attach(
	streams: InMemoryStreamSessionManager,
	id: string,
	controller: StreamController,
	options?: StreamCreateOptions,
): Omit<StreamAttachment, 'continuation'> & { readonly continuation: StreamContinuation | 'gap' } {
	let hasGap = false;
	const ongap = () => {
		hasGap = true;
	};
	const attachment = streams.create(id, controller, { ...options, ongap });
	assert.ok(!isThenable(attachment));
	const { continuation, detach } = attachment;
	return { continuation: hasGap ? 'gap' : continuation, detach };
}

/** What the two kinds of controller count. */
export const strategies: readonly (readonly [counts: string, strategy: () => QueuingStrategy<Uint8Array>])[] = [
	['chunks', () => new CountQueuingStrategy({ highWaterMark: 1 })],
	['bytes', () => new ByteLengthQueuingStrategy({ highWaterMark: 1024 })],
];

/** A client at the other end of a real `ReadableStream`. It reads when it is told to, and never otherwise. */
export class StreamClient {
	/** What a manager is given. */
	readonly controller: StreamController;
	/** The id of the last event that was read. */
	lastEventId: string | undefined;
	/** How the stream ended, as far as was read: `closed` in order, or `cut` off with an error. */
	ended: 'closed' | 'cut' | undefined;
	readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
	readonly #highWaterMark: number;

	constructor(strategy: QueuingStrategy<Uint8Array> = new CountQueuingStrategy({ highWaterMark: 1 })) {
		let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
		const stream = new ReadableStream<Uint8Array>(
			{
				start(opened) {
					controller = opened;
				},
			},
			strategy,
		);
		if (controller === undefined) throw new Error('A ReadableStream starts at once.');
		this.controller = controller;
		this.#reader = stream.getReader();
		this.#reader.closed.catch(() => {});
		this.#highWaterMark = strategy.highWaterMark ?? 1;
	}

	/** How much waits to be read, in what the strategy counts. */
	get unread(): number {
		return this.#highWaterMark - (this.controller.desiredSize ?? this.#highWaterMark);
	}

	/** Reads one event, and waits for it if need be; `undefined` at the end. */
	async read(): Promise<Received | undefined> {
		const text = await this.readRaw();
		if (text === undefined) return undefined;
		const received = {
			id: /^id: (.*)$/m.exec(text)?.[1],
			data: [...text.matchAll(/^data: (.*)$/gm)].map((line) => line[1]).join('\n'),
		};
		this.lastEventId = received.id ?? this.lastEventId;
		return received;
	}

	/** Reads one event as it was sent. */
	async readRaw(): Promise<string | undefined> {
		try {
			const { value, done } = await this.#reader.read();
			if (!done) return new TextDecoder().decode(value);
			this.ended = 'closed';
		} catch {
			this.ended = 'cut';
		}
		return undefined;
	}

	/** Reads all that waits, and notices the end where there is one. */
	async readAll(): Promise<Received[]> {
		const all: Received[] = [];
		while (this.unread > 0 || this.controller.desiredSize === null) {
			const received = await this.read();
			if (received === undefined) break;
			all.push(received);
		}
		return all;
	}

	/** Reads all that waits, without the ids. */
	async texts(): Promise<string[]> {
		return (await this.readAll()).map(({ data }) => data);
	}

	/** Goes without a word, as a client does whose network is gone. */
	async vanish(): Promise<void> {
		await this.#reader.cancel();
	}
}
