import { isThenable, type JsonObject } from '@holdfast/session-manager/custom';
import { toError } from '@holdfast/session-manager/internal';

/** Options for whoever watches a node. */
export interface ObserverOptions {
	/**
	 * Hears what happens on this node, for metrics, traces, logs and audit; one observer or several. Whatever one throws
	 * or rejects with goes to `onerror` and changes nothing.
	 * @default absent, and then nothing is made for it
	 */
	readonly observe?: Observer | readonly Observer[];
}

/** Watches a node. Both methods are called in the middle of the work, so they must be quick. */
export interface Observer {
	/** Something happened on node `nodeId`. */
	event?(event: ObservedEvent, nodeId: string): unknown;
	/**
	 * Runs the handler of an operation that was just started, so that what it does can be traced as part of it. Must call
	 * `work` at once, and once; otherwise it is called without it.
	 */
	run?(operation: Operation, work: () => void): void;
}

/** One request of a client that a server works on, or one of a server that waits for its client. */
export interface Operation {
	/** Who works on it: `client` for elicitation, sampling, roots and pings of the server. */
	readonly servedBy: 'server' | 'client';
	readonly method: string;
	/** Its id on the wire. */
	readonly requestId: string | number;
	/** The tool or the prompt that it names. */
	readonly name?: string | undefined;
	/** The resource that it names. */
	readonly uri?: string | undefined;
	/** Its `params._meta`, with the trace context of the client. */
	readonly meta?: JsonObject | undefined;
	/**
	 * The session, by the id under which it is stored; absent for 2026-07-28. Never log it: unless ids are stored hashed,
	 * whoever knows it can name the session.
	 */
	readonly sessionId?: string | undefined;
	readonly protocolVersion?: string | undefined;
}

/** Who asked for something that an operator does, and why: for the audit. */
export interface AuditNote {
	/** Who asks. */
	readonly by?: string | undefined;
	/** Why. */
	readonly reason?: string | undefined;
}

/** What an observer hears of. Durations are in milliseconds; session ids are those under which sessions are stored. */
export type ObservedEvent =
	/** A request begins to run. */
	| { readonly type: 'operation-started'; readonly operation: Operation }
	/**
	 * A request is over. `error` is the JSON-RPC code as text, `tool_error`, `cancelled`, or `closed` where the server
	 * closed first; absent after a result.
	 */
	| {
			readonly type: 'operation-ended';
			readonly operation: Operation;
			readonly durationMs: number;
			readonly error?: string | undefined;
	  }
	/** A client opened a session on this node. */
	| {
			readonly type: 'session-opened';
			readonly sessionId: string;
			readonly protocolVersion: string;
			readonly transport: 'http' | 'sse';
			readonly principal?: string | undefined;
			readonly clientInfo: JsonObject;
	  }
	/**
	 * This node ended a session, or found that it had expired. Where the node knew the session, `durationMs` is how long
	 * it lived. One that expires while it is suspended is noticed by no node.
	 */
	| {
			readonly type: 'session-ended';
			readonly sessionId: string;
			readonly reason: string;
			readonly protocolVersion?: string | undefined;
			readonly durationMs?: number | undefined;
	  }
	/** This node suspended a session. */
	| { readonly type: 'session-suspended'; readonly sessionId: string }
	/** A suspended session was used here, and is active again. */
	| { readonly type: 'session-restored'; readonly sessionId: string }
	/** An SSE stream opened: that of a session, of a request, or one that listens for changes without a session. */
	| { readonly type: 'stream-opened'; readonly kind: StreamKind; readonly sessionId?: string | undefined }
	| {
			readonly type: 'stream-ended';
			readonly kind: StreamKind;
			readonly sessionId?: string | undefined;
			readonly durationMs: number;
	  }
	/** A newer connection, here or on another node, took the session stream from this node. */
	| { readonly type: 'takeover'; readonly sessionId: string }
	/** A client came back with `Last-Event-ID`, and gets what it missed, after a `gap` what is left of it. */
	| { readonly type: 'replay'; readonly kind: StreamKind; readonly sessionId: string }
	/** A client was told that it may have missed something. */
	| { readonly type: 'gap'; readonly sessionId: string }
	/** A method of a manager was called. `error` is the code of a `SessionManagerError`, or the name of another error. */
	| {
			readonly type: 'store-call';
			readonly manager: 'info' | 'streams';
			readonly method: string;
			readonly durationMs: number;
			readonly error?: string | undefined;
	  }
	/** A request was refused. `reason` is one of a fixed set of names, such as `sessionNotFound`. */
	| {
			readonly type: 'refusal';
			readonly reason: string;
			readonly status: number;
			readonly httpMethod: string;
			readonly message: string;
	  }
	/**
	 * An operator's program called `terminate`, `suspend` or a method of `principals`, and it is over. `data` names what
	 * it was done to where that is not only sessions, such as `conversations`. `at` is the date, in milliseconds since
	 * the Unix epoch.
	 */
	| {
			readonly type: 'audit';
			readonly action: 'terminate' | 'suspend' | 'list' | 'export' | 'erase';
			readonly by?: string | undefined;
			readonly reason?: string | undefined;
			readonly sessionId?: string | undefined;
			readonly principal?: string | undefined;
			readonly data?: string | undefined;
			readonly at: number;
			/** Whether it was done: `false` for a session that could not be suspended, and after an error. */
			readonly done: boolean;
	  }
	/** A conversation was created, or not; from an observer of `@holdfast/conversations`. `error` is its code. */
	| { readonly type: 'conversation-created'; readonly durationMs: number; readonly error?: string | undefined }
	/** The conversations of a store were counted; from there, too. The size is an average. */
	| {
			readonly type: 'conversations-counted';
			readonly active: number;
			readonly suspended: number;
			readonly terminated: number;
			readonly averageBytes: number;
			readonly oldestAgeMs: number;
			readonly cached: number;
	  };

/** What an SSE stream is for. */
export type StreamKind = 'session' | 'request' | 'listen';

/** The observers of a node. Neither method throws. */
export class Observation {
	readonly #observers: readonly Observer[];
	readonly #nodeId: () => string;
	readonly #report: (error: unknown) => void;

	constructor(observers: readonly Observer[], nodeId: () => string, report: (error: unknown) => void) {
		this.#observers = observers;
		this.#nodeId = nodeId;
		this.#report = report;
	}

	/** Tells every observer. */
	emit(event: ObservedEvent): void {
		for (const observer of this.#observers) {
			try {
				const done = observer.event?.(event, this.#nodeId());
				if (isThenable(done)) Promise.resolve(done).catch((error: unknown) => this.#failed(error));
			} catch (error) {
				this.#failed(error);
			}
		}
	}

	/** Runs `work` once, inside of what each observer makes of it. Throws what `work` throws. */
	run(operation: Operation, work: () => void, index = 0): void {
		const observer = this.#observers[index];
		if (observer === undefined) return work();
		const next = () => this.run(operation, work, index + 1);
		if (observer.run === undefined) return next();
		let outcome: { readonly error?: unknown; readonly failed: boolean } | undefined;
		try {
			observer.run(operation, () => {
				if (outcome !== undefined) return;
				outcome = { failed: false };
				try {
					next();
				} catch (error) {
					outcome = { failed: true, error };
				}
			});
		} catch (error) {
			this.#failed(error);
		}
		if (outcome === undefined) next();
		else if (outcome.failed) throw outcome.error;
	}

	#failed(error: unknown): void {
		this.#report(new Error(`An observer failed: ${toError(error).message}`, { cause: error }));
	}
}

/** Returns the observers of the option. */
export function observersOf(observe: ObserverOptions['observe']): readonly Observer[] {
	return observe === undefined ? [] : [observe].flat();
}
