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

/** What a {@link Session} needs from the node that made it. */
export interface SessionHome {
	readonly info: InfoSessionManager;
	/** Writes in the background what may wait (default: one for each session). */
	readonly writeBehind?: WriteBehind;
	/** Ends the session on every node. */
	terminate(id: string, reason: string): Promise<void>;
}

/**
 * A session, as the factory of servers and its tools see it. It shows what the session was when it was last read; `state` is
 * always the store's.
 */
export class Session {
	/** What `Mcp-Session-Id` carries, or its hash where ids are stored hashed. A secret of the client: never log it. */
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

	/** Who the session belongs to; `undefined` for an anonymous session. */
	get principal(): string | undefined {
		return this.#record.principal;
	}

	/** What the verified token said; `undefined` for an anonymous session. */
	get claims(): JsonObject | undefined {
		return this.#record.claims;
	}

	get clientInfo(): ClientInfo {
		return clientInfoOf(this.#record);
	}

	get clientCapabilities(): Capabilities {
		return clientCapabilitiesOf(this.#record);
	}

	/** The revision that was negotiated; while the server is being made for `initialize`, the one that the client asked for. */
	get protocolVersion(): string {
		return this.#record.protocolVersion;
	}

	/** The least severe level of log messages that the client wants; `undefined` when it did not say. */
	get logLevel(): LogLevel | undefined {
		return this.#record.logLevel;
	}

	/** Typed values that the session remembers on every node. */
	get state(): SessionState {
		this.#state ??= new SessionState(this.#home.info, this.id, this.#home.writeBehind);
		return this.#state;
	}

	/** Where the session is in its life; `terminated` once it has ended, for the reason that `signal.reason` gives. */
	get status(): SessionStatus | 'terminated' {
		return this.#ended === undefined ? statusOf(this.#record) : 'terminated';
	}

	/** When the session began, in milliseconds since the Unix epoch. */
	get createdAt(): number {
		return this.#record.createdAt;
	}

	/** When the session expires if nobody uses it, in milliseconds since the Unix epoch; `undefined`: never. */
	get expiresAt(): number | undefined {
		return expiryOf(this.#record);
	}

	/**
	 * Aborts when the session ends, on whichever node that happens; its `reason` is the reason given. A node that has let go of the
	 * session (its server was closed: suspended, released) hears no more of it.
	 */
	get signal(): AbortSignal {
		if (this.#abort === undefined) {
			this.#abort = new AbortController();
			if (this.#ended !== undefined) this.#abort.abort(this.#ended.reason);
		}
		return this.#abort.signal;
	}

	/** The resources that the client is subscribed to. */
	subscriptions(): MaybePromise<string[]> {
		return this.#home.info.getSubscribedUris(this.id);
	}

	/** Ends the session on every node. The call that asks for it is still answered. */
	terminate(reason: string): Promise<void> {
		return this.#home.terminate(this.id, reason);
	}

	/** Writes what waits to be written of the state. For transports. */
	async flush(): Promise<void> {
		await this.#state?.flush();
	}

	/** Takes in what the store says now. For transports. */
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
