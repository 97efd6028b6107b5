import type { MaybePromise } from '@holdfast/session-manager';
import {
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
import type { SseUpgradeable, SseUpgradeTimer } from './sse-upgrade-timer.js';
import { sessionStreamHeaders } from './stream-headers.js';

/**
 * How requests are answered: `json` as one JSON object, `sse` as a stream, `auto` as JSON where nothing is emitted before a quick
 * response and as a stream otherwise.
 */
export type ResponseMode = 'auto' | 'json' | 'sse';

/**
 * The response to one POST with requests. It starts undecided; the first message before the result, or a timer, makes it an SSE
 * stream, and a result that comes before that makes it JSON.
 */
export class PostResponse implements Responder, SseUpgradeable {
	startedAt = 0;
	/** Called once all requests are answered. */
	ondone: (() => void) | undefined;
	readonly #host: SessionHost;
	readonly #session: LocalSession;
	readonly #exchange: HttpExchange;
	readonly #mode: ResponseMode;
	readonly #upgradeTimer: SseUpgradeTimer;
	/** Responses of a batch, while it may still become JSON; `undefined` for a single request. */
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
		upgradeTimer: SseUpgradeTimer,
	) {
		this.#host = host;
		this.#session = session;
		this.#exchange = exchange;
		this.#mode = mode;
		this.#upgradeTimer = upgradeTimer;
		this.#pending = requests.length;
		this.#batch = batch ? [] : undefined;
		this.#requestId = batch ? undefined : requests[0]?.id;
		if (mode === 'auto') upgradeTimer.add(this);
		else if (mode === 'sse') this.openStream();
	}

	emit(json: string): MaybePromise<void> {
		// One JSON object has no room for anything else; the session stream has.
		if (this.#mode === 'json') return this.#session.sendOnSessionStream(json);
		return this.openStream().send(messageEvent(json));
	}

	respond(response: JsonRpcResponse): MaybePromise<void> {
		const json = writeResponse(response, (error) => this.#host.context.report(error));
		this.#done();
		if (this.#stream !== undefined) {
			return this.#stream.send(this.#pending === 0 ? lastMessageEvent(json) : messageEvent(json));
		}
		if (this.#batch === undefined) return this.#respondJson(json);
		this.#batch.push(json);
		if (this.#pending === 0) this.#respondJson(`[${this.#batch.join(',')}]`);
	}

	cancelled(): void {
		this.#done();
		if (this.#pending > 0) return;
		const stream = this.#stream;
		if (stream !== undefined) this.#host.context.background(() => stream.end());
		else if (this.#batch !== undefined && this.#batch.length > 0) this.#respondJson(`[${this.#batch.join(',')}]`);
		else this.#respondNothing();
	}

	/** Closes the connection; the client comes back for the rest of the stream. */
	closeConnection(): void {
		if (this.#responded) return;
		this.openStream().closeConnection();
	}

	/** Makes the response a stream, if it is not one yet. */
	openStream(): PostStream {
		if (this.#stream !== undefined) return this.#stream;
		this.#upgradeTimer.delete(this);
		const stream = new PostStream(this.#host, this.#session, this.#exchange, this.#requestId);
		this.#stream = stream;
		for (const json of this.#batch ?? []) this.#host.context.background(() => stream.send(messageEvent(json)));
		return stream;
	}

	#done(): void {
		if (--this.#pending === 0) this.ondone?.();
	}

	#respondJson(json: string): void {
		this.#responded = true;
		this.#upgradeTimer.delete(this);
		this.#exchange.respondJson(this.#session.sessionIdHeader, json);
	}

	/** Everything was cancelled before a word was said: a stream that is over is the only response without a result. */
	#respondNothing(): void {
		this.#responded = true;
		this.#upgradeTimer.delete(this);
		this.#exchange.respond(200, sessionStreamHeaders(this.#session), openingComment);
	}
}
