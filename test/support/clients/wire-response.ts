import { within } from '../deadline.ts';

/** JSON that a test looks into. */
// biome-ignore lint/suspicious/noExplicitAny: what tests look into has no one type.
export type Loose = any;

/** A JSON-RPC message as it was received; tests look into it as they please. */
export interface Received {
	readonly jsonrpc?: '2.0';
	readonly id?: string | number | null;
	readonly method?: string;
	readonly params?: Loose;
	readonly result?: Loose;
	readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
}

/** What stands between two blank lines of an SSE stream. */
export interface SseBlock {
	id?: string;
	event?: string;
	/** Absent when the block has no `data` line: then it is no event. */
	data?: string;
	retry?: number;
	readonly comments: string[];
}

/** One JSON-RPC message of an SSE stream, with the event id that it came under. */
export interface SseMessage {
	readonly eventId: string | undefined;
	readonly message: Received;
}

/** An HTTP response, whichever door it came through. Everything that waits does so with a deadline. */
export class WireResponse {
	readonly status: number;
	readonly headers: Headers;
	/** Every complete block of the SSE stream so far. */
	readonly blocks: SseBlock[] = [];
	/** How long it is waited for, in milliseconds; for what is allowed to take its time. */
	deadlineMs: number | undefined;
	readonly #drop: () => void;
	readonly #waiting = new Set<() => void>();
	#text = '';
	#unparsed = '';
	#over = false;
	#broken = false;

	/** `drop` breaks the connection off. */
	constructor(status: number, headers: Headers, drop: () => void) {
		this.status = status;
		this.headers = headers;
		this.#drop = drop;
	}

	get isStream(): boolean {
		return this.headers.get('content-type') === 'text/event-stream';
	}

	/** Whether the server has ended the response, or broken it off. */
	get over(): boolean {
		return this.#over;
	}

	/** Whether the response ended in the middle, instead of being completed. */
	get broken(): boolean {
		return this.#broken;
	}

	/** Everything received so far. */
	get received(): string {
		return this.#text;
	}

	/** Events so far: blocks with a `data` line. */
	get events(): SseBlock[] {
		return this.blocks.filter(({ data }) => data !== undefined);
	}

	/** JSON-RPC messages of the SSE stream so far. */
	get messages(): SseMessage[] {
		return this.events
			.filter(({ data }) => data !== '')
			.map(({ id, data }) => ({ eventId: id, message: JSON.parse(data ?? '') as Received }));
	}

	/** The last event id seen: what a client would resume from. */
	get lastEventId(): string | undefined {
		return this.blocks.findLast(({ id }) => id !== undefined)?.id;
	}

	/** Comments so far. */
	get comments(): string[] {
		return this.blocks.flatMap(({ comments }) => comments);
	}

	/** The whole body, once it is complete. */
	async text(): Promise<string> {
		await this.ended();
		return this.#text;
	}

	/** The whole body as JSON. */
	async json(): Promise<Loose> {
		return JSON.parse(await this.text());
	}

	/** Resolves once the response is over. */
	ended(): Promise<void> {
		return this.#until(() => this.#over, 'the end of the answer');
	}

	/** The block number `index` (from 0). */
	async block(index: number): Promise<SseBlock> {
		await this.#until(() => this.blocks.length > index || this.#over, `block ${index} of the stream`);
		return this.#at(this.blocks, index, 'block');
	}

	/** The event number `index` (from 0). */
	async event(index: number): Promise<SseBlock> {
		await this.#until(() => this.events.length > index || this.#over, `event ${index} of the stream`);
		return this.#at(this.events, index, 'event');
	}

	/** The JSON-RPC message number `index` (from 0) of the stream. */
	async message(index: number): Promise<Received> {
		return (await this.sseMessage(index)).message;
	}

	/** The same with its event id. */
	async sseMessage(index: number): Promise<SseMessage> {
		await this.#until(() => this.messages.length > index || this.#over, `message ${index} of the stream`);
		return this.#at(this.messages, index, 'message');
	}

	/** The first message that `matches`. */
	async find(matches: (message: Received) => boolean): Promise<Received> {
		const look = () => this.messages.find(({ message }) => matches(message))?.message;
		await this.#until(() => look() !== undefined || this.#over, 'a message of the stream');
		const found = look();
		if (found === undefined) throw new Error(`The stream ended without the message:\n${this.#text}`);
		return found;
	}

	/** The message that answers a request: of a JSON response, or the first with a result or an error on a stream. */
	async answer(): Promise<Received> {
		if (!this.isStream) return (await this.json()) as Received;
		return this.find(({ method }) => method === undefined);
	}

	/** Breaks the connection off, as a client that vanishes does. */
	drop(): void {
		this.#drop();
	}

	/** Takes in what was received; for doors. */
	push(text: string): void {
		this.#text += text;
		if (this.isStream) this.#parse(text);
		this.#wake();
	}

	/** The response is over; for doors. */
	end(broken: boolean): void {
		if (this.#over) return;
		this.#over = true;
		this.#broken = broken;
		this.#wake();
	}

	#parse(text: string): void {
		this.#unparsed += text;
		for (;;) {
			const end = this.#unparsed.indexOf('\n\n');
			if (end === -1) return;
			this.blocks.push(parseBlock(this.#unparsed.slice(0, end)));
			this.#unparsed = this.#unparsed.slice(end + 2);
		}
	}

	#at<T>(list: readonly T[], index: number, what: string): T {
		const found = list[index];
		if (found === undefined) throw new Error(`The stream ended before its ${what} ${index}:\n${this.#text}`);
		return found;
	}

	#until(ready: () => boolean, what: string): Promise<void> {
		if (ready()) return Promise.resolve();
		let look = () => {};
		const done = new Promise<void>((resolve) => {
			look = () => {
				if (ready()) resolve();
			};
		});
		this.#waiting.add(look);
		return within(done, what, this.deadlineMs)
			.catch((error: Error) => {
				throw new Error(`${error.message} Received so far:\n${this.#text}`);
			})
			.finally(() => this.#waiting.delete(look));
	}

	#wake(): void {
		for (const look of this.#waiting) look();
	}
}

/** Reads one block by the rules of the HTML standard, and refuses lines that a careful server does not write. */
function parseBlock(text: string): SseBlock {
	const block: SseBlock = { comments: [] };
	for (const line of text.split('\n')) {
		const colon = line.indexOf(':');
		if (colon === -1) throw new Error(`Not a line of an SSE stream: ${JSON.stringify(line)}`);
		const field = line.slice(0, colon);
		const value = line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
		if (field === '') block.comments.push(value);
		else if (field === 'id') block.id = value;
		else if (field === 'event') block.event = value;
		else if (field === 'retry' && /^\d+$/.test(value)) block.retry = Number(value);
		else if (field === 'data') block.data = block.data === undefined ? value : `${block.data}\n${value}`;
		else throw new Error(`Not a line of an SSE stream: ${JSON.stringify(line)}`);
	}
	return block;
}
