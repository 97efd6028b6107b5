import { randomBytes } from 'node:crypto';
import type { MaybePromise } from '@holdfast/session-manager';
import { isThenable } from '@holdfast/session-manager/custom';
import {
	type JsonRpcRequest,
	type JsonRpcResponse,
	type LocalSession,
	lostResponse,
	messageEvent,
	type RequestId,
	type Responder,
	retrySend,
	type SessionHost,
	writeResponse,
} from '@holdfast/transport/internal';
import type { SentResponses } from './sent-responses.js';
import type { StreamGate } from './stream-gate.js';
import { formatMark, type OpenMark, type OverMark } from './stream-mark.js';
import { StreamPresence } from './stream-presence.js';

const encoder = new TextEncoder();

/**
 * Sends everything that the server sends for a client's requests on this node to the session's stream, whichever node
 * holds it.
 */
export class StreamResponder implements Responder {
	/** Set where this node holds the stream. */
	gate: StreamGate | undefined;
	readonly #host: SessionHost;
	readonly #session: LocalSession;
	readonly #sent: SentResponses;
	readonly #presence: StreamPresence;
	readonly #writer = randomBytes(6).toString('base64url');
	#responses = 0;
	#calls = 0;
	/** The calls that run here and of which the holder of the stream was told, with their numbers. */
	readonly #announced = new Map<RequestId, number>();
	/** The sends that are retried while the store is unavailable, one after another. */
	#retries: Promise<void> | undefined;

	constructor(host: SessionHost, session: LocalSession, sent: SentResponses) {
		this.#host = host;
		this.#session = session;
		this.#sent = sent;
		this.#presence = new StreamPresence(host.context, session.id);
	}

	/** Whether the client has a stream, on whichever node. Never rejects. */
	hasStream(): MaybePromise<boolean> {
		return this.gate?.isHeld ?? this.#presence.isThere();
	}

	emit(json: string): MaybePromise<void> {
		return this.#session.sendOnSessionStream(json);
	}

	respond(response: JsonRpcResponse, request?: JsonRpcRequest): MaybePromise<void> {
		return this.#send(response, false, request);
	}

	/** Sends the response to `initialize`. If it is a success, the gate lets everything through from then on. */
	open(response: JsonRpcResponse): MaybePromise<void> {
		return this.#send(response, 'result' in response);
	}

	/** Lets everything through to the client of a session that was opened without `initialize`. */
	openImplicitly(): void {
		if (this.gate === undefined) this.#tell({ type: 'open' });
		else this.gate.open();
	}

	/** Whether the holder of the stream was told of a call with this id that has not ended. */
	isAnnounced(id: RequestId): boolean {
		return this.#announced.has(id);
	}

	/**
	 * Records that a call is about to run here. A node that holds the stream elsewhere is told, so that it can respond
	 * with an error if this node dies. Rejects where that failed: such a call must not be accepted.
	 */
	begin(id: RequestId): MaybePromise<void> {
		if (this.gate !== undefined) return;
		const { context } = this.#host;
		const call = ++this.#calls;
		this.#announced.set(id, call);
		const mark = formatMark({ type: 'call', writer: this.#writer, call, nodeId: context.nodeId, id });
		const sent = context.streams.send([this.#session.id], mark);
		if (!isThenable(sent)) return;
		return Promise.resolve(sent).catch((error: unknown) => {
			// The holder may have been told all the same.
			this.cancelled(id);
			throw error;
		});
	}

	cancelled(id: RequestId): void {
		const call = this.#take(id);
		if (call > 0) this.#tell({ type: 'over', writer: this.#writer, call });
	}

	#take(id: RequestId): number {
		const call = this.#announced.get(id) ?? 0;
		this.#announced.delete(id);
		return call;
	}

	/**
	 * Tells the holder of the stream. While the store is unavailable this is lost; a call that is over may then get an
	 * error too many if its node dies.
	 */
	#tell(mark: OverMark | OpenMark): void {
		const { context } = this.#host;
		context.background(() => context.streams.send([this.#session.id], formatMark(mark)));
	}

	/**
	 * Sends a response, which reaches the client even if the store is unavailable for a while or the call itself ended
	 * the session.
	 */
	#send(response: JsonRpcResponse, opens: boolean, request?: JsonRpcRequest): MaybePromise<void> {
		const report = (error: unknown) => this.#host.context.report(error);
		const json = writeResponse(response, this.#session.maxMessageBytes, report, request);
		const mark = { writer: this.#writer, number: ++this.#responses, call: this.#take(response.id), opens };
		const head = formatMark({ type: 'response', ...mark });
		const event = head + messageEvent(json);
		// Whoever is connected here gets it before the node's connections close.
		if (this.#host.context.closed && this.gate !== undefined) return this.gate.enqueue(encoder.encode(event));
		this.#sent.add(this.#session.id, event, head + messageEvent(lostResponse(response.id)));
		try {
			const sent = this.#host.context.streams.send([this.#session.id], event);
			if (isThenable(sent))
				return Promise.resolve(sent).catch((error: unknown) => this.#sendWithoutStore(event, error));
		} catch (error) {
			this.#sendWithoutStore(event, error);
		}
	}

	/**
	 * Sends an event that the store refused. The store may have taken it all the same; the gate knows the copy by its
	 * mark.
	 */
	#sendWithoutStore(event: string, error: unknown): void {
		this.#host.context.report(error);
		const isHeldHere = this.#host.connections.get(this.#session.id)?.open ?? false;
		if (isHeldHere && this.gate !== undefined) return this.gate.enqueue(encoder.encode(event));
		const send = () => retrySend(this.#host.context, this.#session.id, event, () => !this.#session.ended);
		this.#retries = this.#retries === undefined ? send() : this.#retries.then(send);
	}
}
