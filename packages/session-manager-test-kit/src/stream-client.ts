import type {
	StreamAttachment,
	StreamContinuation,
	StreamController,
	StreamCreateOptions,
	StreamSessionManager,
} from '@holdfast/session-manager/custom';

/** One SSE event as the client received it. */
export interface Received {
	readonly id: string | undefined;
	readonly text: string;
}

/** A client that reads at once. It throws when a manager uses it after the end of the stream. */
export class StreamClient implements StreamController {
	readonly received: Received[] = [];
	ended = false;
	/** The result of `create`. */
	attachment: StreamAttachment | undefined;
	/** Whether `ongap` was called when the stream opened. */
	hasGap = false;
	desiredSize: number | null = 1;
	/** Called with each chunk, as text. */
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

	/** How the stream continues; `gap` where `ongap` was called. */
	get continuation(): StreamContinuation | 'gap' | undefined {
		return this.hasGap ? 'gap' : this.attachment?.continuation;
	}

	/** Closes the connection, and the node notices. */
	leave(): void {
		this.desiredSize = null;
		this.attachment?.detach();
	}

	/** Closes the connection, and the node has yet to notice. */
	vanish(): void {
		this.desiredSize = null;
	}

	/** Waits until the client has `count` events. */
	async has(count: number): Promise<string[]> {
		await this.#until(`${count} events`, () => this.received.length >= count);
		return this.texts;
	}

	/** Waits until the client has an event with `text`. */
	async hears(text: string | number): Promise<string[]> {
		await this.#until(`event ${text}`, () => this.received.some((event) => event.text === String(text)));
		return this.texts;
	}

	/** Waits until the stream is closed. */
	async end(): Promise<string[]> {
		await this.#until('the end', () => this.ended);
		return this.texts;
	}

	async #until(what: string, met: () => boolean, deadlineMs = 10_000): Promise<void> {
		if (met()) return;
		await new Promise<void>((resolve, reject) => {
			const late = setTimeout(() => {
				reject(
					new Error(
						`Waited ${deadlineMs} ms for ${what}; the last events are ${JSON.stringify(this.texts.slice(-5))}.`,
					),
				);
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

/** Opens stream `id` through `manager` with a new client. */
export async function open(
	manager: StreamSessionManager,
	id: string,
	options: StreamCreateOptions = {},
): Promise<StreamClient> {
	const client = new StreamClient();
	const ongap = () => {
		if (client.attachment === undefined) client.hasGap = true;
		return options.ongap?.();
	};
	client.attachment = (await manager.create(id, client, { ...options, ongap })) ?? undefined;
	return client;
}

/** Returns the options of a client that comes back after the first `count` events of `client` (default: after all). */
export function after(client: Pick<StreamClient, 'received'>, count = client.received.length): StreamCreateOptions {
	return { lastEventId: client.received[count - 1]?.id ?? '' };
}

/** Formats one SSE event, as a caller of `send` does. */
export function sse(data: string | number): string {
	return `event: message\ndata: ${data}\n\n`;
}

/** Returns the texts of `from` to `to`. */
export function numbers(from: number, to: number): string[] {
	return Array.from({ length: to - from + 1 }, (_, index) => `${from + index}`);
}
