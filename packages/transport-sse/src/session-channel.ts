import { randomBytes } from 'node:crypto';
import type { MaybePromise } from '@holdfast/session-manager';
import {
	inBackground,
	type JsonRpcFailure,
	type JsonRpcResult,
	messageEvent,
	type NodeSession,
	type RequestChannel,
	type RequestId,
	type SessionHost,
	sendLate,
	toError,
	writeAnswer,
} from '@holdfast/transport';
import type { ClientController } from './client-controller.js';
import { type CallMark, formatMark, type OverMark } from './stream-mark.js';

const encoder = new TextEncoder();

/** Leads all that comes of a client's requests on this node onto the session's stream, whichever node holds that. */
export class SessionChannel implements RequestChannel {
	/** Where the stream is held here. */
	controller: ClientController | undefined;
	readonly #host: SessionHost;
	readonly #session: NodeSession;
	readonly #writer = randomBytes(6).toString('base64url');
	#answers = 0;
	#calls = 0;
	/** The calls that run here and that the holder of the stream knows of, by number. */
	readonly #announced = new Map<RequestId, number>();
	/** Answers that wait for the store, one after another. */
	#late: Promise<void> | undefined;

	constructor(host: SessionHost, session: NodeSession) {
		this.#host = host;
		this.#session = session;
	}

	emit(json: string): MaybePromise<void> {
		return this.#session.sendOnSessionStream(json);
	}

	respond(answer: JsonRpcResult | JsonRpcFailure): MaybePromise<void> {
		return this.#send(answer, false);
	}

	/** Answers `initialize`: from then on the client hears of everything. */
	open(answer: JsonRpcResult | JsonRpcFailure): MaybePromise<void> {
		return this.#send(answer, 'result' in answer);
	}

	/** A call begins to run here. Where another node holds the stream, it must know of it: it answers the call if this node dies. */
	begin(id: RequestId): void {
		if (this.controller !== undefined) return;
		const call = ++this.#calls;
		this.#announced.set(id, call);
		this.#tell({ type: 'call', writer: this.#writer, call, nodeId: this.#host.nodeId, id });
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
		const report = (error: unknown) => this.#host.report(toError(error));
		try {
			inBackground(this.#host.streams.send([this.#session.id], formatMark(mark)), report);
		} catch (error) {
			report(error);
		}
	}

	/** An answer gets to the client even if the store is away for a while; that of a call that ended the session, too. */
	#send(answer: JsonRpcResult | JsonRpcFailure, opens: boolean): MaybePromise<void> {
		const json = writeAnswer(answer, (error) => this.#host.report(error));
		const mark = { writer: this.#writer, number: ++this.#answers, call: this.#take(answer.id), opens };
		const event = formatMark({ type: 'answer', ...mark }) + messageEvent(json);
		try {
			const sent = this.#host.streams.send([this.#session.id], event);
			if (sent instanceof Promise) return sent.catch((error: unknown) => this.#sendWithoutStore(event, error));
		} catch (error) {
			this.#sendWithoutStore(event, error);
		}
	}

	/** The store may have taken the event in spite of its failure; whoever holds the stream knows it by its mark. */
	#sendWithoutStore(event: string, error: unknown): void {
		this.#host.report(toError(error));
		const isHeldHere = this.#session.connections.get(this.#session.id)?.open ?? false;
		if (isHeldHere && this.controller !== undefined) return this.controller.enqueue(encoder.encode(event));
		const send = () => sendLate(this.#host, this.#session.id, event, () => !this.#session.ended);
		this.#late = this.#late === undefined ? send() : this.#late.then(send);
	}
}
