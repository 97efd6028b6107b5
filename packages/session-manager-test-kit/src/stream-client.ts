import type {
	StreamAttachment,
	StreamContinuation,
	StreamController,
	StreamCreateOptions,
	StreamSessionManager,
} from '@holdfast/session-manager/custom';

/** One SSE event as a client receives it. */
export interface Received {
	readonly id: string | undefined;
	readonly text: string;
}

/** A client that reads at once, and is strict: whoever goes on after the end is told off. */
export class StreamClient implements StreamController {
	readonly received: Received[] = [];
	ended = false;
	/** What `create` answered. */
	attachment: StreamAttachment | undefined;
	desiredSize: number | null = 1;
	/** Told of each chunk, as text. */
	onchunk: ((text: string) => void) | undefined;
	#onchange = () => {};

	enqueue(chunk: Uint8Array): void {
		if (this.desiredSize === null) throw new TypeError('The client is gone.');
		const event = new TextDecoder().decode(chunk);
		this.onchunk?.(event);
		const data = [...event.matchAll(/^data: ?(.*)$/gm)].map((line) => line[1]);
		this.received.push({ id: /^id: (.*)$/m.exec(event)?.[1], text: data.join('\n') });
		this.#onchange();
	}

	close(): void {
		if (this.desiredSize === null) throw new TypeError('The client is gone.');
		this.ended = true;
		this.desiredSize = null;
		this.#onchange();
	}

	/** The data of every event, in order. */
	get texts(): string[] {
		return this.received.map(({ text }) => text);
	}

	get continuation(): StreamContinuation | undefined {
		return this.attachment?.continuation;
	}

	/** The connection is gone, and the node knows. */
	leave(): void {
		this.desiredSize = null;
		this.attachment?.detach();
	}

	/** The connection is gone, and the node has yet to notice. */
	vanish(): void {
		this.desiredSize = null;
	}

	/** Waits until there are `count` events. */
	async has(count: number): Promise<string[]> {
		await this.#until(`${count} events`, () => this.received.length >= count);
		return this.texts;
	}

	/** Waits until the event with `text` is there. */
	async hears(text: string | number): Promise<string[]> {
		await this.#until(`event ${text}`, () => this.received.some((event) => event.text === String(text)));
		return this.texts;
	}

	/** Waits until the stream was closed. */
	async end(): Promise<string[]> {
		await this.#until('the end', () => this.ended);
		return this.texts;
	}

	async #until(what: string, met: () => boolean, deadlineMs = 10_000): Promise<void> {
		if (met()) return;
		await new Promise<void>((resolve, reject) => {
			const late = setTimeout(() => {
				reject(new Error(`Not within ${deadlineMs} ms: ${what}; there is ${JSON.stringify(this.texts.slice(-5))}.`));
			}, deadlineMs);
			this.#onchange = () => {
				if (!met()) return;
				clearTimeout(late);
				this.#onchange = () => {};
				resolve();
			};
		});
	}
}

/** A client that now holds stream `id` through `manager`. */
export async function open(
	manager: StreamSessionManager,
	id: string,
	options?: StreamCreateOptions,
): Promise<StreamClient> {
	const client = new StreamClient();
	client.attachment = (await manager.create(id, client, options)) ?? undefined;
	return client;
}

/** What a client says that comes back after the first `count` events of `client` (default: after all). */
export function after(client: Pick<StreamClient, 'received'>, count = client.received.length): StreamCreateOptions {
	return { lastEventId: client.received[count - 1]?.id ?? '' };
}

/** One SSE event as a caller of `send` writes it. */
export function sse(data: string | number): string {
	return `event: message\ndata: ${data}\n\n`;
}

/** The texts of `from` to `to`. */
export function numbers(from: number, to: number): string[] {
	return Array.from({ length: to - from + 1 }, (_, index) => `${from + index}`);
}
