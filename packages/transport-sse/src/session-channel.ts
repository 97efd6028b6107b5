import type { MaybePromise } from '@holdfast/session-manager';
import {
	inBackground,
	type JsonRpcFailure,
	type JsonRpcResult,
	messageEvent,
	type NodeSession,
	type RequestChannel,
	type SessionHost,
	sendLate,
	toError,
	writeAnswer,
} from '@holdfast/transport';

/** Leads all that belongs to a client's request onto the session's stream, whichever node holds that. */
export class SessionChannel implements RequestChannel {
	readonly #host: SessionHost;
	readonly #session: NodeSession;

	constructor(host: SessionHost, session: NodeSession) {
		this.#host = host;
		this.#session = session;
	}

	emit(json: string): MaybePromise<void> {
		return this.#session.sendOnSessionStream(json);
	}

	/** An answer gets to the client even if the store is away for a while; that of a call that ended the session, too. */
	respond(answer: JsonRpcResult | JsonRpcFailure): MaybePromise<void> {
		const event = messageEvent(writeAnswer(answer, (error) => this.#host.report(error)));
		try {
			const sent = this.#host.streams.send([this.#session.id], event);
			if (sent instanceof Promise) return sent.catch((error: unknown) => this.#sendWithoutStore(event, error));
		} catch (error) {
			this.#sendWithoutStore(event, error);
		}
	}

	cancelled(): void {}

	#sendWithoutStore(event: string, error: unknown): void {
		this.#host.report(toError(error));
		const connection = this.#session.connections.get(this.#session.id);
		if (connection?.open) connection.write(event);
		else
			inBackground(
				sendLate(this.#host, this.#session.id, event, () => !this.#session.ended),
				(late) => this.#host.report(late),
			);
	}
}
