import {
	DEFAULT_MAX_BUFFERED_BYTES,
	END_OF_STREAM,
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
	type NodeSession,
	openingComment,
	primingEvent,
	type RequestId,
	type SessionHost,
	sendLate,
	toError,
} from '@holdfast/transport';
import { sessionStreamHeaders } from './stream-headers.js';

const encoder = new TextEncoder();
const endOfLast = `\n${END_OF_STREAM}\n\n`;

/** The SSE stream of a POST: carried by the streams' manager where it can be resumed, written straight out otherwise. */
export class RequestStream {
	readonly #host: SessionHost;
	readonly #session: NodeSession;
	readonly #id: string;
	readonly #connection: Connection;
	readonly #written: () => void;
	/** Where the manager does not carry the stream. */
	#direct: HeldStream | undefined;
	#attaching: Promise<void> | undefined;

	constructor(host: SessionHost, session: NodeSession, exchange: HttpExchange, requestId: RequestId | undefined) {
		const name = host.nextStreamName(requestId);
		this.#host = host;
		this.#session = session;
		this.#id = requestStreamId(session.id, name);
		this.#written = host.writes(this.#id);
		this.#connection = exchange.stream(sessionStreamHeaders(session));
		if (host.streams.resumable && !session.isTransient) this.#attach();
		else this.#goDirect();
		host.hold(session, this.#id, this.#connection);
	}

	/** Sends one event; the last one ends the stream, and gets to the client even if the store is away for a while. */
	send(event: string): MaybePromise<void> {
		const last = event.endsWith(endOfLast);
		if (this.#direct !== undefined) {
			this.#direct.push(encoder.encode(event));
			if (last) this.#finish();
			return;
		}
		if (!last) return this.#host.streams.send([this.#id], event);
		try {
			const sent = this.#host.streams.send([this.#id], event);
			if (sent instanceof Promise)
				return sent.then(this.#written, (error: unknown) => this.#endWithoutStore(event, error));
			this.#written();
		} catch (error) {
			this.#endWithoutStore(event, error);
		}
	}

	/** Ends the stream without a further message. */
	end(): MaybePromise<void> {
		return this.send(endEvent(this.#direct === undefined && canBePrimed(this.#session.record.protocolVersion)));
	}

	/** Closes the connection; the client, which was primed, comes back for the rest. */
	closeConnection(): void {
		if (this.#direct !== undefined) return;
		const close = () => this.#host.closeConnection(this.#session, this.#id);
		// Before the priming event is out, the client could not come back.
		if (this.#attaching === undefined) close();
		else inBackground(this.#attaching.then(close), (error) => this.#host.report(error));
	}

	#attach(): void {
		const primed = canBePrimed(this.#session.record.protocolVersion);
		if (!primed) this.#connection.write(openingComment);
		const options = primed ? { prime: primingEvent(this.#host.retryMs) } : {};
		try {
			const created = this.#host.streams.create(this.#id, this.#connection, options);
			if (!(created instanceof Promise)) return this.#attached(created);
			this.#attaching = created.then(
				(attachment) => this.#attached(attachment),
				(error: unknown) => this.#failed(error),
			);
		} catch (error) {
			this.#failed(error);
		}
	}

	#attached(attachment: StreamAttachment | void): void {
		this.#attaching = undefined;
		if (!this.#connection.open) return attachment?.detach();
		const onend = this.#connection.onend;
		this.#connection.onend = () => {
			attachment?.detach();
			onend?.();
		};
	}

	/** The call goes on without the manager: the client still gets its answer, but cannot resume. */
	#failed(error: unknown): void {
		this.#attaching = undefined;
		this.#host.report(toError(error));
		this.#goDirect();
	}

	#goDirect(): void {
		this.#connection.write(openingComment);
		this.#direct = new HeldStream(this.#connection, DEFAULT_MAX_BUFFERED_BYTES);
	}

	#finish(): void {
		this.#direct?.end();
		this.#written();
	}

	/** A client that is connected here gets the end at once, without an event id; one that will come back, once the store takes it. */
	#endWithoutStore(event: string, error: unknown): void {
		this.#host.report(toError(error));
		if (this.#connection.open) {
			this.#connection.write(event);
			this.#connection.close();
			this.#written();
			return;
		}
		void sendLate(this.#host, this.#id, event).then(this.#written);
	}
}
