import { type MaybePromise, whenReady } from './maybe-promise.js';
import type {
	Capabilities,
	ClientInfo,
	EndedSession,
	LogLevel,
	SessionLimits,
	SessionPatch,
	SessionRecord,
	SessionStatus,
} from './session-record.js';

/** All values of one session's state together, keys included, in bytes of UTF-8. */
export const MAX_STATE_BYTES = 10 * 1024 * 1024;

/** One value of a session's state, as stored, with the version that a compare-and-set names. */
export interface StoredStateValue {
	/** Changes with each write of this key, and is never used twice for it while the session lives. */
	readonly version: string;
	/** The value in its text form (state-value.ts). */
	readonly value: string;
}

/** One page of a scan. */
export interface SessionPage {
	readonly records: readonly SessionRecord[];
	/** Where the next page begins; absent on the last one. */
	readonly cursor?: string | undefined;
}

/**
 * What a session is: its record, its subscriptions, its state.
 *
 * A subclass implements the abstract primitives; each of them is atomic, whatever other nodes do at the same time. A session
 * that was never made, was deleted or has expired is *unknown*: reads answer `undefined` or nothing, writes answer `false` and
 * change nothing, so a deleted session never comes back. A store that cannot be reached rejects with `SessionManagerError`
 * `unavailable`. Ids, resources and keys are exactly their characters: no look-alike, pattern or quotation of one names another.
 */
export abstract class InfoSessionManager {
	/** Told of failures in the background. Unset, they are dropped: a lost store ends no process. */
	onerror: ((error: Error) => void) | undefined;

	/**
	 * Stores a new session. `false` when the id is taken, also by an ended session that is kept: nothing is changed then. Throws
	 * `SessionManagerError` `principal-limit`, or `limit` where the store is full, when the session would be one too many,
	 * however many nodes create at the same time.
	 */
	abstract create(record: SessionRecord, limits?: SessionLimits): MaybePromise<boolean>;

	/** The record of session `id`, in one round trip. */
	abstract read(id: string): MaybePromise<SessionRecord | undefined>;

	/**
	 * Changes the given fields and no other. `false` when the session is unknown, or, where `from` is given, when its status is
	 * another: of several that change a status at the same time, one does.
	 */
	abstract update(id: string, patch: SessionPatch, from?: SessionStatus): MaybePromise<boolean>;

	/** Says that the session was used at `usedAt`; an older time than the stored one changes nothing. `false` when unknown. */
	abstract touch(id: string, usedAt: number): MaybePromise<boolean>;

	/**
	 * Removes the record, every subscription and all state, also of an ended session that is kept. `false` when there was nothing.
	 */
	abstract delete(id: string): MaybePromise<boolean>;

	/** Subscribes the session to a resource; a second time is the same as once. `false` when the session is unknown. */
	abstract addSubscription(id: string, uri: string): MaybePromise<boolean>;

	/** Ends a subscription. `false` when there was none. */
	abstract removeSubscription(id: string, uri: string): MaybePromise<boolean>;

	/** The ids of the sessions that are subscribed to exactly `uri`, in no order. */
	abstract getSubscriptions(uri: string): MaybePromise<string[]>;

	/** The resources that the session is subscribed to, in no order. */
	abstract getSubscribedUris(id: string): MaybePromise<string[]>;

	/** One value of the session's state. */
	abstract readState(id: string, key: string): MaybePromise<StoredStateValue | undefined>;

	/** The keys of the session's state with their values, in no order. */
	abstract listState(id: string): MaybePromise<ReadonlyMap<string, StoredStateValue>>;

	/**
	 * Writes one value, or removes it where `value` is `undefined`, if the stored version is still `expected` (`undefined`: if
	 * there is no value; `'*'`: whatever there is). `false` when it is not, or the session is unknown. Throws
	 * `SessionManagerError` `limit` when the session's state would pass {@link MAX_STATE_BYTES}.
	 */
	abstract writeState(
		id: string,
		key: string,
		expected: string | undefined,
		value: string | undefined,
	): MaybePromise<boolean>;

	/**
	 * The sessions of the store, in pages of about `limit`. Sessions that come or go meanwhile may or may not be among them;
	 * every other is, once.
	 */
	abstract scan(cursor: string | undefined, limit: number): MaybePromise<SessionPage>;

	/**
	 * Ends a session at time `at`: it is unknown from then on and its subscriptions are gone; record and state are kept for
	 * `keepEndedMs` of the record, then nothing is left. A session that expires ends the same way. `false` when it is unknown. A
	 * subclass that does not override this keeps nothing.
	 */
	end(id: string, _at: number, _reason: string): MaybePromise<boolean> {
		return this.delete(id);
	}

	/**
	 * A session that has ended and is kept; its state can still be read, and not written. A subclass that does not override
	 * this keeps none.
	 */
	readEnded(_id: string): MaybePromise<EndedSession | undefined> {
		return undefined;
	}

	/**
	 * The ids of the sessions of a principal, ended ones that are kept included, in no order. What a subclass inherits looks at
	 * every session.
	 */
	sessionsOf(principal: string): MaybePromise<string[]> {
		return this.#scanFor(principal);
	}

	/**
	 * Frees what is left of sessions of which nothing can be read any more, about `limit` of them at most; every other session stays
	 * as it is. Answers how many. For engines that do not do so by themselves: transports call it every minute, on one node
	 * at a time. A subclass that does not override this needs no help.
	 */
	removeExpired(_limit: number): MaybePromise<number> {
		return 0;
	}

	/** What the client said of itself in `initialize`. */
	getClientInfo(id: string): MaybePromise<ClientInfo | undefined> {
		return whenReady(this.read(id), (record) => record && clientInfoOf(record));
	}

	/** Replaces what is known of the client. `false` when the session is unknown. */
	setClientInfo(id: string, clientInfo: ClientInfo): MaybePromise<boolean> {
		return this.#setInitializeParam(id, { clientInfo });
	}

	/** What the client can do. */
	getClientCapabilities(id: string): MaybePromise<Capabilities | undefined> {
		return whenReady(this.read(id), (record) => record && clientCapabilitiesOf(record));
	}

	/** Replaces what the client can do. `false` when the session is unknown. */
	setClientCapabilities(id: string, capabilities: Capabilities): MaybePromise<boolean> {
		return this.#setInitializeParam(id, { capabilities });
	}

	/** The level that the client set; `undefined` when it set none. */
	getLogLevel(id: string): MaybePromise<LogLevel | undefined> {
		return whenReady(this.read(id), (record) => record?.logLevel);
	}

	/** Sets the level of log messages. `false` when the session is unknown. */
	setLogLevel(id: string, logLevel: LogLevel): MaybePromise<boolean> {
		return this.update(id, { logLevel });
	}

	/** Frees what the manager opened. Idempotent. */
	close(): MaybePromise<void> {}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.close();
	}

	async #scanFor(principal: string): Promise<string[]> {
		const ids: string[] = [];
		let cursor: string | undefined;
		do {
			const page: SessionPage = await this.scan(cursor, 100);
			for (const record of page.records) if (record.principal === principal) ids.push(record.id);
			cursor = page.cursor;
		} while (cursor !== undefined);
		return ids;
	}

	#setInitializeParam(
		id: string,
		change: { clientInfo: ClientInfo } | { capabilities: Capabilities },
	): MaybePromise<boolean> {
		return whenReady(this.read(id), (record) =>
			record === undefined ? false : this.update(id, { initializeParams: { ...record.initializeParams, ...change } }),
		);
	}
}

/** The client of `record`, as it named itself in `initialize`. */
export function clientInfoOf(record: SessionRecord): ClientInfo {
	return record.initializeParams.clientInfo as ClientInfo;
}

/** What the client of `record` declared in `initialize`. */
export function clientCapabilitiesOf(record: SessionRecord): Capabilities {
	return (record.initializeParams.capabilities ?? {}) as Capabilities;
}
