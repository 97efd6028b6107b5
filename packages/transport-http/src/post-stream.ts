import { Buffer } from 'node:buffer';
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
	pacedSend,
	primingEvent,
	type RequestId,
	retrySend,
	type SessionHost,
	untilRead,
} from '@holdfast/transport/internal';
import { sessionStreamHeaders } from './stream-headers.js';

const encoder = new TextEncoder();

/** How long the manager may take to bring the end of a stream to a connection of this node, in milliseconds. */
const DELIVERY_MS = 5_000;
/** How often it is looked whether the end of a stream may wait for its client any longer, in milliseconds. */
const LOOK_MS = 100;

/** An event that waits until it is known who carries the stream. */
interface Waiting {
	readonly event: string;
	readonly resolve: (sent: MaybePromise<void>) => void;
	readonly reject: (error: unknown) => void;
}

/**
 * The SSE stream of a POST. It has one carrier at a time: while the manager takes it up, events wait; then the manager
 * carries
 * it, so that it can be resumed, or, where the manager cannot, its events are written straight to the connection.
 */
export class PostStream {
	readonly #host: SessionHost;
	readonly #session: LocalSession;
	readonly #id: string;
	readonly #connection: Connection;
	/** Notes that nothing more is to be written. */
	readonly #written: () => void;
	/** Events that wait for the manager; `undefined` once it has taken the stream up, or could not. */
	#waiting: Waiting[] | undefined;
	/** Where the manager does not carry the stream. */
	#direct: BoundedWriter | undefined;
	/** Settles once the manager has taken the newest event that it was given. */
	#sent: MaybePromise<void> = undefined;
	/** Resolves once everything is written that an event too large for the manager holds up; nothing may overtake it. */
	#queue: Promise<void> | undefined;
	#closesAtOnce = false;
	/** Whether the client had no time to read, and something was not sent to it. */
	#hasDropped = false;

	constructor(host: SessionHost, session: LocalSession, exchange: HttpExchange, requestId: RequestId | undefined) {
		const name = host.requestStreams.nextName(session.id, requestId);
		this.#host = host;
		this.#session = session;
		this.#id = requestStreamId(session.id, name);
		this.#written = host.requestStreams.beginWriting(this.#id);
		this.#connection = host.connections.open(exchange, sessionStreamHeaders(session), session.id);
		host.connections.add(this.#id, this.#connection);
		if (host.context.streams.resumable && !session.isTransient) this.#attach();
		else this.#goDirect();
	}

	/**
	 * Sends one event. Where it is more than the client has read so far, it resolves once that reads on. The last one
	 * ends the stream, and reaches the client even if the store is unavailable for a while.
	 */
	send(event: string): MaybePromise<void> {
		const waiting = this.#waiting;
		if (waiting !== undefined) return new Promise((resolve, reject) => waiting.push({ event, resolve, reject }));
		const sent = this.#send(event);
		return endsStream(event) ? sent : this.#paced(sent);
	}

	/**
	 * Sends what is no response. Without a session, it is dropped where the client had no time to read what was sent
	 * before: progress and log messages say how a call goes on, and losing some harms less than losing the result.
	 */
	emit(event: string): MaybePromise<void> {
		const isFull = () => (this.#connection.desiredSize ?? 0) < -DEFAULT_MAX_BUFFERED_BYTES;
		if (!this.#session.isTransient || !isFull()) return this.send(event);
		if (this.#hasDropped) return;
		this.#hasDropped = true;
		this.#host.context.report(new Error('A client reads too slowly: notifications of its call are dropped.'));
	}

	/** Ends the stream without a further message. */
	end(): MaybePromise<void> {
		return this.send(endEvent(this.#direct === undefined && canBePrimed(this.#session.record.protocolVersion)));
	}

	/** Closes the connection. The client, which was primed, resumes the stream later. */
	closeConnection(): void {
		// Before the priming event is out, the client could not come back.
		if (this.#waiting !== undefined) this.#closesAtOnce = true;
		else if (this.#direct === undefined) this.#host.connections.closeForReconnect(this.#id);
	}

	#attach(): void {
		const primed = canBePrimed(this.#session.record.protocolVersion);
		if (!primed) this.#connection.write(openingComment);
		const options = primed ? { prime: primingEvent(this.#host.connections.retryMs) } : {};
		try {
			const created = this.#host.context.streams.create(this.#id, this.#connection, options);
			if (!isThenable(created)) return this.#attached(created);
			this.#waiting = [];
			created.then(
				(attachment) => this.#attached(attachment),
				(error: unknown) => this.#failed(error),
			);
		} catch (error) {
			this.#failed(error);
		}
	}

	#attached(attachment: StreamAttachment | void): void {
		this.#connection.onEnd(() => attachment?.detach());
		this.#sendWaiting();
		if (this.#closesAtOnce) this.closeConnection();
	}

	/** The call goes on without the manager: the client still gets its response, but cannot resume. */
	#failed(error: unknown): void {
		this.#host.context.report(error);
		this.#goDirect();
		this.#sendWaiting();
	}

	#goDirect(): void {
		this.#connection.write(openingComment);
		this.#direct = new BoundedWriter(this.#connection, DEFAULT_MAX_BUFFERED_BYTES);
	}

	#sendWaiting(): void {
		const waiting = this.#waiting ?? [];
		this.#waiting = undefined;
		for (const { event, resolve, reject } of waiting) {
			try {
				resolve(this.#send(event));
			} catch (error) {
				reject(error);
			}
		}
	}

	#send(event: string): MaybePromise<void> {
		if (this.#direct !== undefined) return this.#sendDirectly(this.#direct, event);
		return this.#queue !== undefined || this.#isTooLarge(event) ? this.#sendInTurn(event) : this.#pass(event);
	}

	/** A client that comes back to this node is waited for on its new connection. */
	#paced(sent: MaybePromise<void>): MaybePromise<void> {
		const { connections, context } = this.#host;
		const connection = this.#connection.open ? this.#connection : connections.get(this.#id);
		return connection === undefined ? sent : pacedSend(connection, context.clock, sent);
	}

	#sendDirectly(direct: BoundedWriter, event: string): void {
		const chunk = encoder.encode(event);
		const isLast = endsStream(event);
		// Nothing could bring its response to a client that is cut off.
		if (isLast || this.#session.isTransient) direct.replay(chunk);
		else direct.write(chunk);
		if (!isLast) return;
		direct.end();
		this.#written();
	}

	/** Passes an event on once those before it are written, whoever carries them. */
	#sendInTurn(event: string): Promise<void> {
		const sent = settled(this.#queue ?? this.#sent).then(() => this.#pass(event));
		const queue = settled(sent).then(() => {
			if (this.#queue === queue) this.#queue = undefined;
		});
		this.#queue = queue;
		return sent;
	}

	/** Gives an event to the manager, or where that would not keep it, to the connection. */
	#pass(event: string): MaybePromise<void> {
		const last = endsStream(event);
		// Whoever is connected here gets the end before the node's connections close.
		if (last && this.#host.context.closed && this.#connection.open) return this.#endHere(event);
		if (last && this.#isSlow) return this.#passLater(event);
		if (this.#isTooLarge(event)) return this.#writePast(event, last);
		if (!last) {
			this.#sent = this.#carry(event);
			return this.#sent;
		}
		try {
			const sent = this.#carry(event);
			if (isThenable(sent))
				return sent.then(
					() => this.#taken(event),
					(error: unknown) => this.#endWithoutStore(event, error),
				);
			this.#taken(event);
		} catch (error) {
			this.#endWithoutStore(event, error);
		}
	}

	/** Passes the end on once the client has read. Node and session may end before, which is looked at now and then. */
	async #passLater(event: string): Promise<void> {
		const { clock } = this.#host.context;
		let stop = () => {};
		const pause = new Promise<void>((resolve) => {
			stop = clock.after(LOOK_MS, resolve);
		});
		await Promise.race([untilRead(this.#connection, clock), pause]);
		stop();
		if (!this.#session.ended) return this.#pass(event);
		// Its connections close soon, and what is sent to a session that has ended would outlive it.
		if (this.#connection.open) this.#endHere(event);
		else this.#written();
	}

	/** Whether the manager may cut the client off instead of writing to it. */
	get #isSlow(): boolean {
		return this.#connection.open && (this.#connection.desiredSize ?? 1) <= 0;
	}

	#carry(event: string): MaybePromise<void> {
		return this.#host.context.streams.send([this.#id], event);
	}

	/** Whether the manager does not keep an event of this size, and the connection is here to take it. */
	#isTooLarge(event: string): boolean {
		const { maxEventBytes } = this.#host.context.streams;
		// No character has more than three bytes.
		return event.length * 3 > maxEventBytes && this.#connection.open && Buffer.byteLength(event) > maxEventBytes;
	}

	/** Writes an event that is too large for the manager straight to the connection. */
	#writePast(event: string, last: boolean): void {
		this.#connection.write(event);
		if (!last) return;
		this.#connection.close();
		// A client that lost the connection before it had read all of it must not wait for ever.
		const { requestStreams, context } = this.#host;
		const primed = canBePrimed(this.#session.record.protocolVersion);
		this.#written();
		context.background(() => requestStreams.end(this.#id, primed));
	}

	/** The manager has taken the end. Should its way to this connection be broken, the client still gets it. */
	#taken(event: string): void {
		this.#written();
		if (!this.#connection.open) return;
		const stop = this.#host.context.clock.after(DELIVERY_MS, () => this.#endHere(event));
		this.#connection.onEnd(stop);
	}

	/**
	 * Ends the stream while the store is unavailable. A client that is connected here gets the last event at once,
	 * without an event id; one that will resume gets it once the store takes it.
	 */
	#endWithoutStore(event: string, error: unknown): void {
		this.#host.context.report(error);
		if (this.#connection.open) return this.#endHere(event);
		void retrySend(this.#host.context, this.#id, event).then(this.#written);
	}

	#endHere(event: string): void {
		this.#connection.write(event);
		this.#connection.close();
		this.#written();
	}
}

/** Resolves once `sent` has; whoever sent it knows what became of it. */
function settled(sent: MaybePromise<void>): Promise<void> {
	return Promise.resolve(sent).catch(() => {});
}
