import { type Connection, closeForReconnect, type LocalSession, type SessionHost } from '@holdfast/transport/internal';
import type { StreamGate } from './stream-gate.js';

/**
 * When a client whose stream is closed by a node that leaves is told to come back, in milliseconds. It is short,
 * because until then the client has no session to POST to.
 */
const RETRY_MS = { least: 10, spread: 40 } as const;
/** A client that got its response so recently does not call again yet, in milliseconds. */
const JUST_RESPONDED_MS = 20;
/** A client that made no call for so long makes none right now, in milliseconds. */
const QUIET_MS = 1_000;

/**
 * Closes the stream of a session whose node leaves. Nothing of a stream can be resumed in this revision, and a POST
 * that comes while the client has none is refused. So it is closed between two calls: right after a response or, where
 * the client makes no calls, at any time.
 */
export class Departure {
	readonly #session: LocalSession;
	readonly #connection: Connection;
	readonly #host: Pick<SessionHost, 'context' | 'requestStreams'>;
	/** On the monotonic clock. */
	#lastCallEndedAt = Number.NEGATIVE_INFINITY;
	#isLeaving = false;

	constructor(
		session: LocalSession,
		connection: Connection,
		gate: StreamGate,
		host: Pick<SessionHost, 'context' | 'requestStreams'>,
	) {
		this.#session = session;
		this.#connection = connection;
		this.#host = host;
		gate.oncallended = () => this.#callEnded();
	}

	/** Closes the stream now, or after a call. It may be called again, to see whether now is the time. */
	leave(): void {
		this.#isLeaving = true;
		const { context, requestStreams } = this.#host;
		if (this.#session.busy || requestStreams.isWriting(this.#session.id)) return;
		const quietMs = context.clock.monotonic() - this.#lastCallEndedAt;
		if (quietMs > JUST_RESPONDED_MS && quietMs < QUIET_MS) return;
		closeForReconnect(this.#connection, RETRY_MS.least + Math.floor(Math.random() * RETRY_MS.spread));
	}

	#callEnded(): void {
		const { clock } = this.#host.context;
		this.#lastCallEndedAt = clock.monotonic();
		// The request that just ended may still be on its way out of this node's hands.
		if (this.#isLeaving) clock.after(0, () => this.leave());
	}
}
