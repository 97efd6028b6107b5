import type { MaybePromise } from './maybe-promise.js';

/**
 * The end of a channel to one client: what a `ReadableStreamDefaultController<Uint8Array>` offers. Each chunk holds one whole
 * SSE event.
 */
export interface StreamController {
	/**
	 * Hands over bytes; throws when the client is gone. Other controllers may be handed the same bytes: they must not be
	 * changed or transferred.
	 */
	enqueue(chunk: Uint8Array): void;
	/** Ends the channel after what was enqueued. */
	close(): void;
	/** Ends the channel at once and drops what was enqueued but not read. */
	error?(reason?: unknown): void;
	/** Room before the channel asks for less: positive while the client keeps up; `null` when it is gone. */
	readonly desiredSize: number | null;
}

/** How a stream is to be opened. */
export interface StreamCreateOptions {
	/**
	 * Whether events get an `id:` line and can be asked for again (default `true` where the manager is {@link
	 * StreamSessionManager.resumable}).
	 */
	readonly history?: boolean;
	/** The last event id that the client saw, exactly as it sent it: delivery continues right after it. */
	readonly lastEventId?: string;
	/**
	 * An SSE event written before anything else, under an event id of its own from which the stream starts, so that a client that loses
	 * the connection before the first message can still resume. It is not kept, and counts as no message.
	 */
	readonly prime?: string;
	/**
	 * When the session began, in milliseconds since the Unix epoch: a session stream that nobody ever held begins with the
	 * broadcasts after that.
	 */
	readonly since?: number;
	/**
	 * Called when events may have been lost while the stream was open, because the store lost them or dropped them past the
	 * retention. A manager may call it too when it opens a stream with a `gap`. What it answers is awaited before anything under a
	 * newer event id is handed over, so that a client that did not hear of the gap comes back to it; when it rejects, the stream
	 * is opened or continued later. On an address: when messages may have been missed, because the connection to the store was
	 * lost for a while.
	 */
	readonly ongap?: () => MaybePromise<void>;
}

/**
 * How a stream continues:
 * - `fresh`: no last event id was given; it begins with what was never handed to a client;
 * - `resumed`: every event after the last event id was, or will be, delivered exactly once;
 * - `gap`: events after the last event id, or that were never handed to a client, may be lost (older than the retention, or of
 *   a store that lost its data); what is left is delivered;
 * - `ended`: the request stream is over and nothing is left to deliver; the controller was not used.
 */
export type StreamContinuation = 'fresh' | 'resumed' | 'gap' | 'ended';

/** A controller's place in a manager. */
export interface StreamAttachment {
	readonly continuation: StreamContinuation;
	/**
	 * Says that the client of this controller is gone. The stream and its history go on without it; a controller that has
	 * taken the stream over meanwhile is untouched. Idempotent.
	 */
	detach(): void;
}

/**
 * How to reach a stream, wherever it is held.
 *
 * A subclass must implement `create`, `delete`, `has` and `send`; one that does nothing but that works with every transport,
 * without resuming. A subclass that declares {@link resumable} keeps all that the options and return values promise.
 *
 * Ids are those of stream-id.ts: session streams, request streams and addresses.
 */
export abstract class StreamSessionManager {
	/** Told of failures in the background. Unset, they are dropped: a lost client or store ends no process. */
	onerror: ((error: Error) => void) | undefined;

	/**
	 * Whether the manager keeps history: it then writes `id:` lines, honours {@link StreamCreateOptions}, answers a {@link
	 * StreamAttachment} from `create`, keeps request streams and addresses apart as stream-id.ts tells, and ends streams at
	 * {@link END_OF_STREAM}.
	 */
	get resumable(): boolean {
		return false;
	}

	/**
	 * The longest event, in bytes of UTF-8, that the manager keeps for clients that come back (default: no bound). Transports hand
	 * a longer one straight to the connection where there is one, so that it cannot be resumed; it must still be taken by `send`.
	 */
	get maxEventBytes(): number {
		return Number.POSITIVE_INFINITY;
	}

	/**
	 * Attaches `controller` as the one holder of stream `id`, at once, and closes the one that held it before, on any node:
	 * the newest wins. Messages sent while nobody held the stream are delivered first, in order.
	 */
	abstract create(
		id: string,
		controller: StreamController,
		options?: StreamCreateOptions,
	): MaybePromise<StreamAttachment | void>;

	/**
	 * Ends stream `id` on any node: its controller is closed and its history forgotten. A session's id ends its request
	 * streams too. An unknown id is no error.
	 */
	abstract delete(id: string): MaybePromise<void>;

	/** Whether a client, or for an address a listener, holds stream `id` on any node now. */
	abstract has(id: string): MaybePromise<boolean>;

	/**
	 * Delivers one SSE event to each of `ids`, or to every session stream where `ids` is `undefined`, in the order of the
	 * calls. Where one server keeps the messages to one and another those to everyone, there may be no order between the two.
	 * `data` is the event as text, ended by a blank line; the manager may put an `id:` line before it and touches nothing else.
	 * An event for a stream that nobody holds is kept for the retention; an unknown id is no error. Rejects with
	 * `SessionManagerError` `unavailable` when the event could not be taken.
	 */
	abstract send(ids: readonly string[] | undefined, data: string): MaybePromise<void>;

	/**
	 * Closes every controller and frees what the manager opened. Idempotent. A resumable manager refuses what comes later with
	 * `SessionManagerError` `closed`.
	 */
	close(): MaybePromise<void> {}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.close();
	}
}
