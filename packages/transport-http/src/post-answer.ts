import type { MaybePromise } from '@holdfast/session-manager';
import {
	type HttpExchange,
	inBackground,
	type JsonRpcFailure,
	type JsonRpcRequest,
	type JsonRpcResult,
	lastMessageEvent,
	messageEvent,
	type NodeSession,
	openingComment,
	type RequestChannel,
	type RequestId,
	type SessionHost,
	writeAnswer,
} from '@holdfast/transport';
import type { AnswerDeadlines, SlowAnswer } from './answer-deadlines.js';
import { RequestStream } from './request-stream.js';
import { sessionStreamHeaders } from './stream-headers.js';

/** How requests are answered: as one JSON object where nothing else is to be said, as an SSE stream otherwise; or always one of them. */
export type ResponseMode = 'auto' | 'json' | 'sse';

/**
 * The answer to one POST with requests. It starts undecided; the first message before the answer, or a deadline, makes it an SSE
 * stream, and an answer that comes before that makes it JSON.
 */
export class PostAnswer implements RequestChannel, SlowAnswer {
	startedAt = 0;
	/** Called once all requests are answered. */
	ondone: (() => void) | undefined;
	readonly #host: SessionHost;
	readonly #session: NodeSession;
	readonly #exchange: HttpExchange;
	readonly #mode: ResponseMode;
	readonly #deadlines: AnswerDeadlines;
	/** Answers of a batch, while it may still become JSON; `undefined` for a single request. */
	readonly #batch: string[] | undefined;
	readonly #requestId: RequestId | undefined;
	#pending: number;
	#answered = false;
	#stream: RequestStream | undefined;

	constructor(
		host: SessionHost,
		session: NodeSession,
		exchange: HttpExchange,
		requests: readonly JsonRpcRequest[],
		batch: boolean,
		mode: ResponseMode,
		deadlines: AnswerDeadlines,
	) {
		this.#host = host;
		this.#session = session;
		this.#exchange = exchange;
		this.#mode = mode;
		this.#deadlines = deadlines;
		this.#pending = requests.length;
		this.#batch = batch ? [] : undefined;
		this.#requestId = batch ? undefined : requests[0]?.id;
		if (mode === 'auto') deadlines.add(this);
		else if (mode === 'sse') this.openStream();
	}

	emit(json: string): MaybePromise<void> {
		// One JSON object has no room for anything else; the session stream has.
		if (this.#mode === 'json') return this.#session.sendOnSessionStream(json);
		return this.openStream().send(messageEvent(json));
	}

	respond(answer: JsonRpcResult | JsonRpcFailure): MaybePromise<void> {
		const json = writeAnswer(answer, (error) => this.#host.report(error));
		this.#done();
		if (this.#stream !== undefined) {
			return this.#stream.send(this.#pending === 0 ? lastMessageEvent(json) : messageEvent(json));
		}
		if (this.#batch === undefined) return this.#answerJson(json);
		this.#batch.push(json);
		if (this.#pending === 0) this.#answerJson(`[${this.#batch.join(',')}]`);
	}

	cancelled(): void {
		this.#done();
		if (this.#pending > 0) return;
		if (this.#stream !== undefined) inBackground(this.#stream.end(), (error) => this.#host.report(error));
		else if (this.#batch !== undefined && this.#batch.length > 0) this.#answerJson(`[${this.#batch.join(',')}]`);
		else this.#answerNothing();
	}

	/** Closes the connection; the client comes back for the rest of the stream. */
	closeConnection(): void {
		if (this.#answered) return;
		this.openStream().closeConnection();
	}

	/** Makes the answer a stream, if it is not one yet. */
	openStream(): RequestStream {
		if (this.#stream !== undefined) return this.#stream;
		this.#deadlines.delete(this);
		this.#stream = new RequestStream(this.#host, this.#session, this.#exchange, this.#requestId);
		for (const json of this.#batch ?? [])
			inBackground(this.#stream.send(messageEvent(json)), (error) => this.#host.report(error));
		return this.#stream;
	}

	#done(): void {
		if (--this.#pending === 0) this.ondone?.();
	}

	#answerJson(json: string): void {
		this.#answered = true;
		this.#deadlines.delete(this);
		this.#exchange.answerJson(this.#session.sessionIdHeader, json);
	}

	/** Everything was cancelled before a word was said: a stream that is over is the only answer without an answer. */
	#answerNothing(): void {
		this.#answered = true;
		this.#deadlines.delete(this);
		this.#exchange.answer(200, sessionStreamHeaders(this.#session), openingComment);
	}
}
