import {
	DEFAULT_MAX_BUFFERED_BYTES,
	HeldStream,
	type MaybePromise,
	requestStreamId,
	type StreamAttachment,
} from '@holdfast/session-manager';
import {
	type Connection,
	canBePrimed,
	endEvent,
	type HttpExchange,
	inBackground,
	type JsonRpcFailure,
	type JsonRpcResult,
	lastMessageEvent,
	messageEvent,
	type NodeSession,
	openingComment,
	primingEvent,
	type RequestChannel,
	type RequestId,
	type SessionHost,
	toError,
} from '@holdfast/transport';
import type { AnswerDeadlines } from './answer-deadlines.js';
import { jsonHeaders, streamHeaders } from './response-headers.js';

/** How requests are answered: as one JSON object where nothing else is to be said, as an SSE stream otherwise; or always one of them. */
export type ResponseMode = 'auto' | 'json' | 'sse';

const encoder = new TextEncoder();

/**
 * The answer to one POST with requests. It starts undecided; the first message before the answer, or a deadline, makes it an SSE
 * stream, and an answer that comes before that makes it JSON.
 */
export class PostAnswer implements RequestChannel {
	/** When it was begun; set by its deadlines. */
	startedAt = 0;
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
		ids: readonly RequestId[] | RequestId,
		mode: ResponseMode,
		deadlines: AnswerDeadlines,
	) {
		this.#host = host;
		this.#session = session;
		this.#exchange = exchange;
		this.#mode = mode;
		this.#deadlines = deadlines;
		if (typeof ids === 'object') {
			this.#batch = [];
			this.#pending = ids.length;
		} else {
			this.#requestId = ids;
			this.#pending = 1;
		}
		if (mode === 'auto') deadlines.add(this);
		else if (mode === 'sse') this.openStream();
	}

	emit(json: string): MaybePromise<void> {
		// One JSON object has no room for anything else; the session stream has.
		if (this.#mode === 'json') return this.#session.sendOnSessionStream(json);
		return this.openStream().send(messageEvent(json));
	}

	respond(answer: JsonRpcResult | JsonRpcFailure): MaybePromise<void> {
		const json = JSON.stringify(answer);
		this.#pending--;
		if (this.#stream !== undefined) {
			return this.#stream.send(this.#pending === 0 ? lastMessageEvent(json) : messageEvent(json));
		}
		if (this.#batch === undefined) return this.#answerJson(json);
		this.#batch.push(json);
		if (this.#pending === 0) this.#answerJson(`[${this.#batch.join(',')}]`);
	}

	cancelled(): void {
		this.#pending--;
		if (this.#pending > 0) return;
		if (this.#stream !== undefined) inBackground(this.#stream.send(endEvent), (error) => this.#host.report(error));
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
		for (const json of this.#batch ?? []) inBackground(this.#stream.send(messageEvent(json)), (error) => this.#host.report(error));
		return this.#stream;
	}

	#answerJson(json: string): void {
		this.#answered = true;
		this.#deadlines.delete(this);
		this.#exchange.answer(200, jsonHeaders(this.#session.id), json);
	}

	/** Everything was cancelled before a word was said: a stream that is over is the only answer without an answer. */
	#answerNothing(): void {
		this.#answered = true;
		this.#deadlines.delete(this);
		this.#exchange.answer(200, streamHeaders(this.#session.id), openingComment);
	}
}

/** The SSE stream of a POST: carried by the streams' manager where it can be resumed, written straight out otherwise. */
class RequestStream {
	readonly #host: SessionHost;
	readonly #session: NodeSession;
	readonly #id: string;
	readonly #connection: Connection;
	/** Where the manager does not carry the stream. */
	#direct: HeldStream | undefined;

	constructor(host: SessionHost, session: NodeSession, exchange: HttpExchange, requestId: RequestId | undefined) {
		this.#host = host;
		this.#session = session;
		this.#id = requestStreamId(session.id, host.nextStreamName(requestId));
		this.#connection = exchange.stream(streamHeaders(session.id));
		if (host.streams.resumable) this.#attach();
		else this.#goDirect();
		host.hold(session, this.#id, this.#connection);
	}

	send(event: string): MaybePromise<void> {
		if (this.#direct === undefined) return this.#host.streams.send([this.#id], event);
		this.#direct.push(encoder.encode(event));
		if (event.endsWith(endOfLast)) this.#direct.end();
	}

	closeConnection(): void {
		if (this.#direct === undefined) this.#host.closeConnection(this.#session, this.#id);
	}

	#attach(): void {
		const primed = canBePrimed(this.#session.record.protocolVersion);
		if (!primed) this.#connection.write(openingComment);
		const options = primed ? { prime: primingEvent(this.#host.retryMs) } : {};
		try {
			const created = this.#host.streams.create(this.#id, this.#connection, options);
			if (created instanceof Promise) created.then((attachment) => this.#attached(attachment), (error: unknown) => this.#failed(error));
			else this.#attached(created);
		} catch (error) {
			this.#failed(error);
		}
	}

	#attached(attachment: StreamAttachment | void): void {
		if (!this.#connection.open) return attachment?.detach();
		const onend = this.#connection.onend;
		this.#connection.onend = () => {
			attachment?.detach();
			onend?.();
		};
	}

	/** The call goes on without the manager: the client still gets its answer, but cannot resume. */
	#failed(error: unknown): void {
		this.#host.report(toError(error));
		this.#goDirect();
	}

	#goDirect(): void {
		this.#connection.write(openingComment);
		this.#direct = new HeldStream(this.#connection, DEFAULT_MAX_BUFFERED_BYTES);
	}
}

const endOfLast = endEvent.slice(endEvent.indexOf('\n'));
