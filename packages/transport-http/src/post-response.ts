import type { MaybePromise } from '@holdfast/session-manager';
import {
	type Deadline,
	type DeadlineQueue,
	type HttpExchange,
	type JsonRpcRequest,
	type JsonRpcResponse,
	type LocalSession,
	lastMessageEvent,
	messageEvent,
	openingComment,
	type RequestId,
	type Responder,
	type SessionHost,
	writeResponse,
} from '@holdfast/transport/internal';
import { PostStream } from './post-stream.js';
import { sessionStreamHeaders } from './stream-headers.js';

/**
 * The form of responses: `json` is one JSON object, `sse` a stream. `auto` is JSON where the response comes quickly and
 * nothing is emitted before it, and a stream otherwise.
 */
export type ResponseMode = 'auto' | 'json' | 'sse';

/**
 * The response to one POST with requests. Its form starts undecided in mode `auto`: a response that comes first makes
 * it JSON; any other message, or a timer, makes it an SSE stream.
 */
export class PostResponse implements Responder {
	/** Called once when every request has its response or was cancelled. */
	ondone: (() => void) | undefined;
	readonly #host: SessionHost;
	readonly #session: LocalSession;
	readonly #exchange: HttpExchange;
	#mode: ResponseMode;
	/** When it becomes a stream. */
	readonly #upgrade: Deadline<PostResponse> | undefined;
	/** The responses of a batch, while it may still become JSON; `undefined` for a single request. */
	readonly #batch: string[] | undefined;
	readonly #requestId: RequestId | undefined;
	#pending: number;
	#responded = false;
	#stream: PostStream | undefined;

	constructor(
		host: SessionHost,
		session: LocalSession,
		exchange: HttpExchange,
		requests: readonly JsonRpcRequest[],
		batch: boolean,
		mode: ResponseMode,
		upgradeTimer: DeadlineQueue<PostResponse>,
	) {
		this.#host = host;
		this.#session = session;
		this.#exchange = exchange;
		this.#mode = mode;
		this.#pending = requests.length;
		this.#batch = batch ? [] : undefined;
		this.#requestId = batch ? undefined : requests[0]?.id;
		this.#upgrade = mode === 'auto' ? upgradeTimer.add(this) : undefined;
		if (mode === 'sse') this.openStream();
	}

	emit(json: string): MaybePromise<void> {
		// A JSON object holds nothing but the response; other messages go on the session stream.
		const stream = this.#mode === 'json' ? undefined : this.openStream();
		return stream === undefined ? this.#session.sendOnSessionStream(json) : stream.emit(messageEvent(json));
	}

	respond(response: JsonRpcResponse, request?: JsonRpcRequest): MaybePromise<void> {
		const report = (error: unknown) => this.#host.context.report(error);
		const json = writeResponse(response, this.#session.maxMessageBytes, report, request);
		this.#requestDone();
		if (this.#stream !== undefined) {
			return this.#stream.send(this.#pending === 0 ? lastMessageEvent(json) : messageEvent(json));
		}
		if (this.#batch === undefined) return this.#respondJson(json);
		this.#batch.push(json);
		if (this.#pending === 0) this.#respondJson(`[${this.#batch.join(',')}]`);
	}

	cancelled(): void {
		this.#requestDone();
		if (this.#pending > 0) return;
		const stream = this.#stream;
		if (stream !== undefined) this.#host.context.background(() => stream.end());
		else if (this.#batch !== undefined && this.#batch.length > 0) this.#respondJson(`[${this.#batch.join(',')}]`);
		else this.#respondNothing();
	}

	/** Closes the connection. The client resumes the stream later. */
	closeConnection(): void {
		if (this.#responded) return;
		this.openStream()?.closeConnection();
	}

	/** Makes the response a stream, unless it is one, or JSON for good where there are too many. Returns the stream. */
	openStream(): PostStream | undefined {
		if (this.#stream !== undefined || this.#mode === 'json') return this.#stream;
		this.#upgrade?.cancel();
		if (this.#host.connections.refusal(this.#session.id) !== undefined) {
			this.#mode = 'json';
			return undefined;
		}
		const stream = new PostStream(this.#host, this.#session, this.#exchange, this.#requestId);
		this.#stream = stream;
		for (const json of this.#batch ?? []) this.#host.context.background(() => stream.send(messageEvent(json)));
		return stream;
	}

	#requestDone(): void {
		if (--this.#pending === 0) this.ondone?.();
	}

	#respondJson(json: string): void {
		this.#responded = true;
		this.#upgrade?.cancel();
		this.#exchange.respondJson(this.#session.sessionIdHeader, json);
	}

	/** Every request was cancelled before anything was sent. A stream without messages is the only form for that. */
	#respondNothing(): void {
		this.#responded = true;
		this.#upgrade?.cancel();
		this.#exchange.respond(200, sessionStreamHeaders(this.#session), openingComment);
	}
}
