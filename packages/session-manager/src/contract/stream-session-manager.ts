import type { MaybePromise } from './maybe-promise.js';

/**
 * The writable end of a stream to one client, in the shape of a `ReadableStreamDefaultController<Uint8Array>`. Each
 * chunk is one whole SSE event.
 */
export interface StreamController {
	/**
	 * Writes bytes; throws when the client is gone. Other controllers may receive the same bytes: they must not be
	 * changed or transferred.
	 */
	enqueue(chunk: Uint8Array): void;
	/** Closes the stream after everything that was enqueued. */
	close(): void;
	/** Closes the stream at once and drops what was enqueued but not read. */
	error?(reason?: unknown): void;
	/** The backpressure of the client: positive while it keeps up; `null` when it is gone. */
	readonly desiredSize: number | null;
}

/** How a stream is opened. */
export interface StreamCreateOptions {
	/**
	 * Whether events carry an `id:` line and can be replayed.
	 *
	 * @default `true` where the manager is {@link StreamSessionManager.resumable}
	 */
	readonly history?: boolean;
	/** The last event id that the client saw, exactly as it sent it: delivery continues right after it. */
	readonly lastEventId?: string;
	/**
	 * An SSE event that is written first, under an event id of its own, from which the stream starts: a client that
	 * loses the connection before the first message can still resume. It is not stored and does not count as a message.
	 */
	readonly prime?: string;
	/**
	 * What {@link StreamSessionManager.position} returned when the session began: a session stream that nobody has held
	 * yet begins with the broadcasts after that position; where they are lost, that is a gap.
	 */
	readonly since?: string;
	/**
	 * Called for each gap, when a stream opens and later: some events after the last event id, or some that were never
	 * written to a client, may be lost, because they exceeded the retention or the store lost its data. What is left is
	 * delivered. The manager awaits the result before it writes anything under a newer event id, so that a client that
	 * did not learn of the gap comes back to it; after a rejection, `create` rejects, or the stream continues later. On
	 * an address it is called when messages may have been missed because the connection to the store was interrupted.
	 */
	readonly ongap?: () => MaybePromise<void>;
}

/**
 * How a stream continues:
 * - `fresh`: no last event id was given; the stream begins with what was never written to a client;
 * - `resumed`: every event after the last event id was, or will be, delivered exactly once, unless
 *   {@link StreamCreateOptions.ongap} was called;
 * - `ended`: the request stream is over and nothing is left to deliver; the controller was not used;
 * - `unknown`: nothing is known of the request stream of the last event id, so nothing was created and the controller
 *   was not used.
 *
 * Whoever resumes after the event that ended the stream gets `ended`, whatever is still kept.
 */
export type StreamContinuation = 'fresh' | 'resumed' | 'ended' | 'unknown';

/** The connection between a controller and its stream. */
export interface StreamAttachment {
	readonly continuation: StreamContinuation;
	/**
	 * Reports that the client of this controller is gone. The stream and its history continue without it, and a
	 * controller that has taken the stream over in the meantime is unaffected. Idempotent.
	 */
	detach(): void;
}

/**
 * Delivers events to streams, whichever node holds them.
 *
 * A subclass must implement `create`, `delete`, `has` and `send`. With these alone it works with every transport,
 * without resuming. A subclass that declares {@link resumable} must keep everything that the options and return values
 * promise.
 *
 * Ids are those of stream-id.ts: session streams, request streams and addresses.
 *
 * @example
 * ```ts source="../../test/examples/stream-session-manager.examples.ts#verbs"
 * await streams.create(sessionId, controller);
 * await streams.send([sessionId], 'data: to this session\n\n');
 * await streams.send(undefined, 'data: to every session\n\n');
 * await streams.has(sessionId); // true, on every node
 * await streams.delete(sessionId);
 * ```
 */
export abstract class StreamSessionManager {
	/**
	 * Called with errors that occur in the background. Without a handler they are dropped: losing a client or the store
	 * never ends the process.
	 */
	onerror: ((error: Error) => void) | undefined;

	/**
	 * Whether the manager keeps history. If so, it writes `id:` lines, honours {@link StreamCreateOptions}, returns a
	 * {@link StreamAttachment} from `create`, distinguishes request streams and addresses as stream-id.ts describes,
	 * and ends streams at {@link END_OF_STREAM}.
	 */
	get resumable(): boolean {
		return false;
	}

	/**
	 * The longest event, in bytes of UTF-8, that the manager keeps for clients that come back (default: no limit).
	 * Transports write a longer one straight to the connection where there is one, so it cannot be resumed.
	 */
	get maxEventBytes(): number {
		return Number.POSITIVE_INFINITY;
	}

	/**
	 * Returns the position after the newest broadcast, for {@link StreamCreateOptions.since}: an opaque text, which
	 * names a place in the log of the store and no time, so that nodes' clocks may differ. Transports keep it in the
	 * session's record. A manager that does not override this method returns none, and session streams begin when they
	 * are opened.
	 */
	position(): MaybePromise<string | undefined> {
		return undefined;
	}

	/**
	 * Makes `controller` the only holder of stream `id`, at once, and closes the previous one, on any node: the newest
	 * wins. Messages that were sent while nobody held the stream are delivered first, in order. An event is delivered
	 * once `enqueue` has returned, read or not: a client without a last event id does not get it again. Where the
	 * previous holder did not detach, and this node does not know how far it got, a client that takes the stream over
	 * without a last event id has a gap if anything was sent since that holder began, broadcasts included, or if it began
	 * with a gap: nobody knows what its client received.
	 *
	 * @example
	 * ```ts source="../../test/examples/stream-session-manager.examples.ts#create"
	 * const lastEventId = request.headers.get('last-event-id');
	 * const attachment = await streams.create(sessionId, controller, {
	 * 	...(lastEventId !== null && { lastEventId }),
	 * 	ongap: () => streams.send([sessionId], 'data: some events were lost\n\n'),
	 * });
	 * if (attachment) request.signal.addEventListener('abort', () => attachment.detach());
	 * ```
	 */
	abstract create(
		id: string,
		controller: StreamController,
		options?: StreamCreateOptions,
	): MaybePromise<StreamAttachment | void>;

	/**
	 * Ends stream `id` on any node: closes its controller and removes its history. The id of a session also ends the
	 * session's request streams. An unknown id is not an error.
	 */
	abstract delete(id: string): MaybePromise<void>;

	/** Returns whether a client, or for an address a listener, currently holds stream `id` on any node. */
	abstract has(id: string): MaybePromise<boolean>;

	/**
	 * Delivers one SSE event to each of `ids`, or to every session stream when `ids` is `undefined`, in the order of
	 * the calls. A backend that keeps targeted messages and broadcasts on different servers need not order one against
	 * the other. An event for a request stream that has ended is dropped. `data` is the event as text, ended by a blank
	 * line; the manager may put an `id:` line before it and must not change anything else. An event for a stream that
	 * nobody holds is kept within the retention; an unknown id is not an error. Rejects with `SessionManagerError`
	 * `unavailable` when the event could not be accepted.
	 *
	 * @example
	 * ```ts source="../../test/examples/stream-session-manager.examples.ts#send"
	 * const id = requestStreamId(sessionId, '42');
	 * await streams.send([id], 'data: {"progress":1}\n\n');
	 * await streams.send([id], `data: ${JSON.stringify(response)}\n${END_OF_STREAM}\n\n`); // the last event
	 * ```
	 */
	abstract send(ids: readonly string[] | undefined, data: string): MaybePromise<void>;

	/**
	 * Says that session `id` ends in `ms` milliseconds: then nothing is kept of its streams any more. The newest call
	 * counts. Transports call it when a session is first used, and before it lives longer than they said. A subclass that
	 * does not override this method keeps what the retention says.
	 */
	expireIn(_id: string, _ms: number): MaybePromise<void> {}

	/**
	 * Closes every controller and frees what the manager opened. Idempotent. A resumable manager rejects later calls with
	 * `SessionManagerError` `closed`.
	 */
	close(): MaybePromise<void> {}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.close();
	}
}
