import type { MaybePromise } from '@holdfast/session-manager';
import { type Connection, closeForReconnect, type LocalSession, type SessionHost } from '@holdfast/transport/internal';
import type { StreamGate } from './stream-gate.js';
import type { StreamHolds } from './stream-holds.js';

/**
 * When a client whose stream is closed by a node that leaves is told to come back, in milliseconds. It is short,
 * because until then the client has no session to POST to.
 */
const RETRY_MS = { least: 10, spread: 40 } as const;
/** A client that got its response so recently does not call again yet, in milliseconds. */
const JUST_RESPONDED_MS = 20;
/** A client that made no call for so long makes none right now, in milliseconds. */
const QUIET_MS = 1_000;
/** After how long nodes that did not agree are asked again, in milliseconds. */
const ASK_AGAIN_MS = 50;

/**
 * Closes the stream of a session whose node leaves. Nothing of a stream can be resumed in this revision, and a POST
 * that comes while the client has none is refused. So it is closed between two calls: right after a response or, where
 * the client makes no calls, at any time. All nodes agree to that first, so that no call is taken and then never
 * answered.
 */
export class Departure {
	readonly #session: LocalSession;
	readonly #connection: Connection;
	readonly #host: Pick<SessionHost, 'context' | 'requestStreams'>;
	/** On the monotonic clock. */
	#lastCallEndedAt = Number.NEGATIVE_INFINITY;
	readonly #holds: StreamHolds;
	#isLeaving = false;
	/** When nodes may be asked again, on the monotonic clock. */
	#notBefore = Number.NEGATIVE_INFINITY;

	constructor(
		session: LocalSession,
		connection: Connection,
		gate: StreamGate,
		holds: StreamHolds,
		host: Pick<SessionHost, 'context' | 'requestStreams'>,
	) {
		this.#session = session;
		this.#connection = connection;
		this.#host = host;
		this.#holds = holds;
		gate.oncallended = () => this.#callEnded();
	}

	/**
	 * Closes the stream if now is the time, or once the call has ended that runs. Resolves once it is known whether it
	 * was closed. Never rejects.
	 */
	leave(): MaybePromise<void> {
		this.#isLeaving = true;
		const now = this.#host.context.clock.monotonic();
		if (this.#isBusy() || now < this.#notBefore) return;
		const quietMs = now - this.#lastCallEndedAt;
		if (quietMs > JUST_RESPONDED_MS && quietMs < QUIET_MS) return;
		this.#notBefore = Number.POSITIVE_INFINITY;
		return this.#closeIfAgreed();
	}

	async #closeIfAgreed(): Promise<void> {
		const { id } = this.#session;
		const agreed = (await this.#holds.agree(id)) && !this.#isBusy();
		this.#holds.end(id, agreed);
		if (agreed) closeForReconnect(this.#connection, RETRY_MS.least + Math.floor(Math.random() * RETRY_MS.spread));
		else this.#notBefore = this.#host.context.clock.monotonic() + ASK_AGAIN_MS;
	}

	/** Whether a call runs, on whichever node, as far as this one knows. */
	#isBusy(): boolean {
		const { running, waiting, id } = this.#session;
		return running + waiting > 0 || this.#host.requestStreams.isWriting(id);
	}

	#callEnded(): void {
		const { clock } = this.#host.context;
		this.#lastCallEndedAt = clock.monotonic();
		// The request that just ended may still be on its way out of this node's hands.
		if (this.#isLeaving) clock.after(0, () => void this.leave());
	}
}
