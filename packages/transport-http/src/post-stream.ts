import type { MaybePromise } from '@holdfast/session-manager';
import {
	BoundedWriter,
	DEFAULT_MAX_BUFFERED_BYTES,
	endsStream,
	isThenable,
	requestStreamId,
	type StreamAttachment,
} from '@holdfast/session-manager/custom';
import {
	type Connection,
	canBePrimed,
	endEvent,
	type HttpExchange,
	type LocalSession,
	openingComment,
	primingEvent,
	type RequestId,
	retrySend,
	type SessionHost,
} from '@holdfast/transport/internal';
import { sessionStreamHeaders } from './stream-headers.js';

const encoder = new TextEncoder();

/**
 * The SSE stream of a POST. It goes through the stream manager where it can be resumed, and straight to the connection
 * otherwise.
 */
export class PostStream {
	readonly #host: SessionHost;
	readonly #session: LocalSession;
	readonly #id: string;
	readonly #connection: Connection;
	readonly #endWriting: () => void;
	/** Set where the stream goes straight to the connection. */
	#direct: BoundedWriter | undefined;
	#attaching: Promise<void> | undefined;

	constructor(host: SessionHost, session: LocalSession, exchange: HttpExchange, requestId: RequestId | undefined) {
		const name = host.requestStreams.nextName(requestId);
		this.#host = host;
		this.#session = session;
		this.#id = requestStreamId(session.id, name);
		this.#endWriting = host.requestStreams.beginWriting(this.#id);
		this.#connection = exchange.stream(sessionStreamHeaders(session));
		if (host.context.streams.resumable && !session.isTransient) this.#attach();
		else this.#goDirect();
		host.connections.add(this.#id, this.#connection);
	}

	/**
	 * Sends one event. The last one ends the stream, and reaches the client even if the store is unavailable for a while.
	 */
	send(event: string): MaybePromise<void> {
		const last = endsStream(event);
		if (this.#direct !== undefined) {
			this.#direct.write(encoder.encode(event));
			if (last) this.#finish();
			return;
		}
		if (!last) return this.#host.context.streams.send([this.#id], event);
		try {
			const sent = this.#host.context.streams.send([this.#id], event);
			if (isThenable(sent)) return sent.then(this.#endWriting, (error: unknown) => this.#endWithoutStore(event, error));
			this.#endWriting();
		} catch (error) {
			this.#endWithoutStore(event, error);
		}
	}

	/** Ends the stream without a further message. */
	end(): MaybePromise<void> {
		return this.send(endEvent(this.#direct === undefined && canBePrimed(this.#session.record.protocolVersion)));
	}

	/** Closes the connection. The client, which was primed, resumes the stream later. */
	closeConnection(): void {
		if (this.#direct !== undefined) return;
		const close = () => this.#host.connections.closeForReconnect(this.#id);
		// Without the priming event, the client could not resume.
		if (this.#attaching === undefined) close();
		else void this.#attaching.then(close);
	}

	#attach(): void {
		const primed = canBePrimed(this.#session.record.protocolVersion);
		if (!primed) this.#connection.write(openingComment);
		const options = primed ? { prime: primingEvent(this.#host.connections.retryMs) } : {};
		try {
			const created = this.#host.context.streams.create(this.#id, this.#connection, options);
			if (!isThenable(created)) return this.#attached(created);
			this.#attaching = Promise.resolve(created).then(
				(attachment) => this.#attached(attachment),
				(error: unknown) => this.#attachFailed(error),
			);
		} catch (error) {
			this.#attachFailed(error);
		}
	}

	#attached(attachment: StreamAttachment | void): void {
		this.#attaching = undefined;
		this.#connection.onEnd(() => attachment?.detach());
	}

	/** The request runs on without the manager: its client still gets the response, but cannot resume. */
	#attachFailed(error: unknown): void {
		this.#attaching = undefined;
		this.#host.context.report(error);
		this.#goDirect();
	}

	#goDirect(): void {
		this.#connection.write(openingComment);
		this.#direct = new BoundedWriter(this.#connection, DEFAULT_MAX_BUFFERED_BYTES);
	}

	#finish(): void {
		this.#direct?.end();
		this.#endWriting();
	}

	/**
	 * Ends the stream while the store is unavailable. A client that is connected here gets the last event at once,
	 * without an event id; one that will resume gets it once the store takes it.
	 */
	#endWithoutStore(event: string, error: unknown): void {
		this.#host.context.report(error);
		if (this.#connection.open) {
			this.#connection.write(event);
			this.#connection.close();
			this.#endWriting();
			return;
		}
		void retrySend(this.#host.context, this.#id, event).then(this.#endWriting);
	}
}
