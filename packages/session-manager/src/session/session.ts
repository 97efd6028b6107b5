import { clientCapabilitiesOf, clientInfoOf, type InfoSessionManager } from '../contract/info-session-manager.js';
import type { MaybePromise } from '../contract/maybe-promise.js';
import {
	type Capabilities,
	type ClientInfo,
	expiryOf,
	type JsonObject,
	type LogLevel,
	type SessionRecord,
	type SessionStatus,
	statusOf,
} from '../contract/session-record.js';
import { SessionState } from './session-state.js';
import type { WriteBehind } from './write-behind.js';

/** What a {@link Session} needs from the node that created it. */
export interface SessionHome {
	readonly info: InfoSessionManager;
	/**
	 * Writes marks in the background.
	 *
	 * @default one for each session
	 */
	readonly writeBehind?: WriteBehind;
	/** Ends the session on every node. */
	terminate(id: string, reason: string): Promise<void>;
}

/**
 * A session, as the server factory and its tools see it. Its fields show the session as it was last read; `state`
 * always reads the store.
 *
 * @example
 * ```ts source="../../test/examples/session.examples.ts#factory"
 * export async function greet(session: Session): Promise<string> {
 * 	const visits = await session.state.increment('visits'); // counts on every node
 * 	return `Hello ${session.clientInfo.name}, this is visit ${visits}.`;
 * }
 * ```
 */
export class Session {
	/**
	 * The value of `Mcp-Session-Id`, or its hash where ids are stored hashed. It is the client's secret: never log it.
	 */
	readonly id: string;
	readonly #home: SessionHome;
	#record: SessionRecord;
	#abort: AbortController | undefined;
	#ended: { readonly reason: string } | undefined;
	#state: SessionState | undefined;

	constructor(record: SessionRecord, home: SessionHome) {
		this.id = record.id;
		this.#record = record;
		this.#home = home;
	}

	/** The owner of the session; `undefined` for an anonymous session. */
	get principal(): string | undefined {
		return this.#record.principal;
	}

	/** The claims of the verified token; `undefined` for an anonymous session. */
	get claims(): JsonObject | undefined {
		return this.#record.claims;
	}

	/** The `clientInfo` of the client's `initialize`. */
	get clientInfo(): ClientInfo {
		return clientInfoOf(this.#record);
	}

	/** The capabilities that the client declared in `initialize`. */
	get clientCapabilities(): Capabilities {
		return clientCapabilitiesOf(this.#record);
	}

	/**
	 * The negotiated protocol version. While the server is being created for `initialize`, the version that the client
	 * requested.
	 */
	get protocolVersion(): string {
		return this.#record.protocolVersion;
	}

	/** The least severe log level that the client wants; `undefined` when it set none. */
	get logLevel(): LogLevel | undefined {
		return this.#record.logLevel;
	}

	/** Typed values that every node can read and write. */
	get state(): SessionState {
		this.#state ??= new SessionState(this.#home.info, this.id, this.#home.writeBehind);
		return this.#state;
	}

	/** The status of the session; `terminated` once it has ended, for the reason in `signal.reason`. */
	get status(): SessionStatus | 'terminated' {
		return this.#ended === undefined ? statusOf(this.#record) : 'terminated';
	}

	/** When the session began, in milliseconds since the Unix epoch. */
	get createdAt(): number {
		return this.#record.createdAt;
	}

	/** When the session expires if it is not used again, in milliseconds since the Unix epoch; `undefined`: never. */
	get expiresAt(): number | undefined {
		return expiryOf(this.#record);
	}

	/**
	 * Aborts when the session ends, on any node; its `reason` is the given reason. It no longer aborts after this node
	 * has released the session, that is, closed its server because the session was suspended or evicted.
	 *
	 * @example
	 * ```ts source="../../test/examples/session.examples.ts#signal"
	 * const timer = setInterval(refresh, 10_000);
	 * session.signal.addEventListener('abort', () => clearInterval(timer), { once: true });
	 * ```
	 */
	get signal(): AbortSignal {
		if (this.#abort === undefined) {
			this.#abort = new AbortController();
			if (this.#ended !== undefined) this.#abort.abort(this.#ended.reason);
		}
		return this.#abort.signal;
	}

	/** Returns the resources that the client is subscribed to. */
	subscriptions(): MaybePromise<string[]> {
		return this.#home.info.getSubscribedUris(this.id);
	}

	/**
	 * Ends the session on every node. The call that requests it still gets its response.
	 *
	 * @example
	 * ```ts source="../../test/examples/session.examples.ts#terminate"
	 * if (session.principal === undefined) await session.terminate('sign in first');
	 * ```
	 */
	terminate(reason: string): Promise<void> {
		return this.#home.terminate(this.id, reason);
	}

	/** Writes the marks of the state that are not stored yet. For transports. */
	async flush(): Promise<void> {
		await this.#state?.flush();
	}

	/** Replaces the record with what the store holds now. For transports. */
	refresh(record: SessionRecord): void {
		this.#record = record;
	}

	/** Marks the session as ended. For transports. */
	markEnded(reason: string): void {
		if (this.#ended !== undefined) return;
		this.#ended = { reason };
		this.#abort?.abort(reason);
	}
}
