import { randomBytes } from 'node:crypto';
import type { MaybePromise } from '@holdfast/session-manager';
import { isThenable } from '@holdfast/session-manager/custom';
import {
	type JsonRpcResponse,
	type LocalSession,
	messageEvent,
	type RequestId,
	type Responder,
	retrySend,
	type SessionHost,
	writeResponse,
} from '@holdfast/transport/internal';
import type { StreamGate } from './stream-gate.js';
import { type CallMark, formatMark, type OverMark } from './stream-mark.js';

const encoder = new TextEncoder();

/** Leads all that comes of a client's requests on this node onto the session's stream, whichever node holds that. */
export class StreamResponder implements Responder {
	/** Where the stream is held here. */
	gate: StreamGate | undefined;
	readonly #host: SessionHost;
	readonly #session: LocalSession;
	readonly #writer = randomBytes(6).toString('base64url');
	#responses = 0;
	#calls = 0;
	/** The calls that run here and that the holder of the stream knows of, by number. */
	readonly #announced = new Map<RequestId, number>();
	/** Responses that wait for the store, one after another. */
	#late: Promise<void> | undefined;

	constructor(host: SessionHost, session: LocalSession) {
		this.#host = host;
		this.#session = session;
	}

	emit(json: string): MaybePromise<void> {
		return this.#session.sendOnSessionStream(json);
	}

	respond(response: JsonRpcResponse): MaybePromise<void> {
		return this.#send(response, false);
	}

	/** Responds to `initialize`: from then on the client hears of everything. */
	open(response: JsonRpcResponse): MaybePromise<void> {
		return this.#send(response, 'result' in response);
	}

	/** A call begins to run here. Where another node holds the stream, it must know of it: it answers the call if this node dies. */
	begin(id: RequestId): void {
		if (this.gate !== undefined) return;
		const call = ++this.#calls;
		this.#announced.set(id, call);
		this.#tell({ type: 'call', writer: this.#writer, call, nodeId: this.#host.context.nodeId, id });
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

	/** Tells the holder of the stream. Where the store is away it does not hear of it: then the client's own patience is the bound. */
	#tell(mark: CallMark | OverMark): void {
		const { context } = this.#host;
		context.background(() => context.streams.send([this.#session.id], formatMark(mark)));
	}

	/** A response gets to the client even if the store is away for a while; that of a call that ended the session, too. */
	#send(response: JsonRpcResponse, opens: boolean): MaybePromise<void> {
		const json = writeResponse(response, (error) => this.#host.context.report(error));
		const mark = { writer: this.#writer, number: ++this.#responses, call: this.#take(response.id), opens };
		const event = formatMark({ type: 'response', ...mark }) + messageEvent(json);
		// Whoever is connected here gets it before the node's connections close.
		if (this.#host.context.closed && this.gate !== undefined) return this.gate.enqueue(encoder.encode(event));
		try {
			const sent = this.#host.context.streams.send([this.#session.id], event);
			if (isThenable(sent))
				return Promise.resolve(sent).catch((error: unknown) => this.#sendWithoutStore(event, error));
		} catch (error) {
			this.#sendWithoutStore(event, error);
		}
	}

	/** The store may have taken the event in spite of its failure; whoever holds the stream knows it by its mark. */
	#sendWithoutStore(event: string, error: unknown): void {
		this.#host.context.report(error);
		const isHeldHere = this.#host.connections.get(this.#session.id)?.open ?? false;
		if (isHeldHere && this.gate !== undefined) return this.gate.enqueue(encoder.encode(event));
		const send = () => retrySend(this.#host.context, this.#session.id, event, () => !this.#session.ended);
		this.#late = this.#late === undefined ? send() : this.#late.then(send);
	}
}
