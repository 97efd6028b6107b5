import { type MaybePromise, whenReady } from './maybe-promise.js';
import type { NodeRecord } from './node-record.js';
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

/** The largest state of one session: all values with their keys, in bytes of UTF-8. */
export const MAX_STATE_BYTES = 10 * 1024 * 1024;

/** One value of a session's state, as stored, with the version that a compare-and-set names. */
export interface StoredStateValue {
	/** Changes with every write of this key, and never repeats for it while the session lives. */
	readonly version: string;
	/** The encoded value (state-value.ts). */
	readonly value: string;
}

/** One page of a scan. */
export interface SessionPage {
	readonly records: readonly SessionRecord[];
	/** The cursor of the next page; absent on the last page. */
	readonly cursor?: string | undefined;
}

/**
 * Stores what a session is: its record, its subscriptions and its state.
 *
 * A subclass must implement the abstract primitives, and each of them must be atomic across all nodes. A session that
 * was never created, was deleted or has expired is *unknown*: reads return `undefined` or nothing, writes return
 * `false` and change nothing, so a deleted session never comes back. When the store cannot be reached, methods reject
 * with `SessionManagerError` `unavailable`. Ids, resources and keys are compared exactly: no look-alike, pattern or
 * quoted form of one matches another. Encoded as UTF-8, lone surrogates are all the same, unless `encodableText` has
 * kept them apart.
 *
 * @example
 * ```ts source="../../test/examples/info-session-manager.examples.ts#vocabulary"
 * await info.setLogLevel(sessionId, 'warning');
 * await info.addSubscription(sessionId, 'file:///report.md');
 *
 * const client = await info.getClientInfo(sessionId); // undefined: no such session
 * const subscribers = await info.getSubscriptions('file:///report.md');
 * ```
 */
export abstract class InfoSessionManager {
	/**
	 * Called with errors that occur in the background. Without a handler they are dropped: losing the store never ends
	 * the process.
	 */
	onerror: ((error: Error) => void) | undefined;

	/**
	 * Stores a new session. Returns `false` and changes nothing when the id is taken, even by an ended session that is
	 * still kept. Throws `SessionManagerError` `principal-limit`, or `limit` where the store is full, when the session
	 * would exceed a limit, however many nodes create sessions at the same time. Sessions that have ended or expired do
	 * not count for their principal; the store may count those that it still keeps.
	 */
	abstract create(record: SessionRecord, limits?: SessionLimits): MaybePromise<boolean>;

	/** Returns the record of session `id`, in one round trip. */
	abstract read(id: string): MaybePromise<SessionRecord | undefined>;

	/**
	 * Changes the given fields and no others, as {@link patched} does. Returns `false` when the session is unknown or, if
	 * `from` is given, has another status: when several callers change a status at the same time, exactly one succeeds.
	 */
	abstract update(id: string, patch: SessionPatch, from?: SessionStatus): MaybePromise<boolean>;

	/**
	 * Records that the session was used at `usedAt`; a time older than the stored one changes nothing. Returns `false`
	 * for an unknown session.
	 */
	abstract touch(id: string, usedAt: number): MaybePromise<boolean>;

	/**
	 * Removes the record, every subscription and all state, also of an ended session that is still kept. Returns
	 * `false` when there was nothing to remove.
	 */
	abstract delete(id: string): MaybePromise<boolean>;

	/** Subscribes the session to a resource. Idempotent. Returns `false` when the session is unknown. */
	abstract addSubscription(id: string, uri: string): MaybePromise<boolean>;

	/** Removes a subscription. Returns `false` when there was none. */
	abstract removeSubscription(id: string, uri: string): MaybePromise<boolean>;

	/**
	 * Returns the ids of the sessions subscribed to exactly `uri`, in no particular order. A session that subscribes or
	 * unsubscribes meanwhile may or may not be among them.
	 */
	abstract getSubscriptions(uri: string): MaybePromise<string[]>;

	/** Returns the resources that the session is subscribed to, in no particular order. */
	abstract getSubscribedUris(id: string): MaybePromise<string[]>;

	/** Returns one value of the session's state. */
	abstract readState(id: string, key: string): MaybePromise<StoredStateValue | undefined>;

	/** Returns all keys of the session's state with their values, in no particular order. */
	abstract listState(id: string): MaybePromise<ReadonlyMap<string, StoredStateValue>>;

	/**
	 * Writes one value, or removes it when `value` is `undefined`, if the stored version still is `expected`
	 * (`undefined`: if there is no value; `'*'`: in any case). Returns `false` when the version differs or the session
	 * is unknown. Throws `SessionManagerError` `limit` when the session's state would exceed {@link MAX_STATE_BYTES}.
	 */
	abstract writeState(
		id: string,
		key: string,
		expected: string | undefined,
		value: string | undefined,
	): MaybePromise<boolean>;

	/**
	 * Returns the living sessions of the store, in pages of about `limit`; below 1 it counts as 1. Sessions that have
	 * ended or expired do not appear, even while they are kept. A session that is created or removed during the scan
	 * may or may not appear; every other session appears exactly once.
	 */
	abstract scan(cursor: string | undefined, limit: number): MaybePromise<SessionPage>;

	/**
	 * Ends a session at time `at`: from then on it is unknown and has no subscriptions. Its record and state are kept
	 * for the record's `keepEndedMs`, then removed. A session that expires ends the same way. Returns `false` when the
	 * session is already unknown. A subclass that does not override this method keeps nothing.
	 */
	end(id: string, _at: number, _reason: string): MaybePromise<boolean> {
		return this.delete(id);
	}

	/**
	 * Ends one living session to make room for another, as {@link end} does. Returns its id; `undefined` when there is
	 * none to end. With `principal`, the principal's session that was unused longest ends. Without it, whoever has the
	 * most sessions loses one of them, if those are more than one and more than a hundredth of all. Sessions count for
	 * their `remoteAddress` where they have one, otherwise for their principal. Where nobody has so many, sessions
	 * without a verified principal end first; of those, the one that was unused longest. When several callers make room
	 * at the same time, each ends another session. A subclass that does not override this method ends nothing without
	 * `principal`, and reads all sessions of a principal to find the one. A record that is no session never ends this
	 * way.
	 */
	endUnused(at: number, reason: string, principal?: string): MaybePromise<string | undefined> {
		return principal === undefined ? undefined : endUnusedOf(this, principal, at, reason);
	}

	/**
	 * Returns an ended session that is still kept; its state can be read but not written. A subclass that does not
	 * override this method keeps no ended sessions.
	 */
	readEnded(_id: string): MaybePromise<EndedSession | undefined> {
		return undefined;
	}

	/**
	 * Returns the ids of a principal's sessions, including ended ones that are still kept, in no particular order. With
	 * `kind`, those of its records of that kind, and no others. The inherited implementation scans every session, and
	 * finds no record that `scan` does not return. A store may list a session for a moment after its end.
	 */
	sessionsOf(principal: string, kind?: string): MaybePromise<string[]> {
		return scanFor(this, principal, kind);
	}

	/**
	 * Frees what is left of sessions that can no longer be read, at most about `limit` of them; every other session is
	 * left untouched. Returns how many it freed. Transports call it every minute, on one node at a time, for engines
	 * that do not expire data by themselves. Other subclasses need not override it.
	 */
	removeExpired(_limit: number): MaybePromise<number> {
		return 0;
	}

	/**
	 * Takes the lease `name` for `holder`, or renews it, for `ttlMs` milliseconds from now. Returns `false` while
	 * another holder has it: of several that ask at the same time, exactly one gets it. A lease may say that something
	 * was used up: a store that keeps its sessions through a restart keeps its leases. Leases and nodes are no
	 * sessions: no limit counts them, a full store takes them, and `scan` does not return them. A subclass that does
	 * not override this method gives the lease to everyone.
	 */
	acquireLease(_name: string, _holder: string, _ttlMs: number): MaybePromise<boolean> {
		return true;
	}

	/** Gives the lease up, so that another holder can take it at once. A lease that `holder` does not have stays. */
	releaseLease(_name: string, _holder: string): MaybePromise<void> {}

	/**
	 * Announces a node for `ttlMs` milliseconds from now, in place of what it announced before; 0 withdraws it. A
	 * subclass that does not override this method keeps no nodes.
	 */
	announceNode(_node: NodeRecord, _ttlMs: number): MaybePromise<void> {}

	/** Returns the nodes that are announced, as they announced themselves last, in no particular order. */
	nodes(): MaybePromise<readonly NodeRecord[]> {
		return [];
	}

	/** Returns how the client identified itself in `initialize`. */
	getClientInfo(id: string): MaybePromise<ClientInfo | undefined> {
		return whenReady(this.read(id), (record) => record && clientInfoOf(record));
	}

	/** Replaces the client's `clientInfo`. Returns `false` when the session is unknown. */
	setClientInfo(id: string, clientInfo: ClientInfo): MaybePromise<boolean> {
		return this.update(id, { clientInfo });
	}

	/** Returns the client's capabilities. */
	getClientCapabilities(id: string): MaybePromise<Capabilities | undefined> {
		return whenReady(this.read(id), (record) => record && clientCapabilitiesOf(record));
	}

	/** Replaces the client's capabilities. Returns `false` when the session is unknown. */
	setClientCapabilities(id: string, capabilities: Capabilities): MaybePromise<boolean> {
		return this.update(id, { clientCapabilities: capabilities });
	}

	/** Returns the log level that the client set; `undefined` when it set none. */
	getLogLevel(id: string): MaybePromise<LogLevel | undefined> {
		return whenReady(this.read(id), (record) => record?.logLevel);
	}

	/** Sets the log level. Returns `false` when the session is unknown. */
	setLogLevel(id: string, logLevel: LogLevel): MaybePromise<boolean> {
		return this.update(id, { logLevel });
	}

	/** Frees what the manager opened. Idempotent. */
	close(): MaybePromise<void> {}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.close();
	}
}

async function scanFor(info: InfoSessionManager, principal: string, kind?: string): Promise<string[]> {
	const ids: string[] = [];
	let cursor: string | undefined;
	do {
		const page: SessionPage = await info.scan(cursor, 100);
		for (const record of page.records) if (record.principal === principal && record.kind === kind) ids.push(record.id);
		cursor = page.cursor;
	} while (cursor !== undefined);
	return ids;
}

async function endUnusedOf(
	info: InfoSessionManager,
	principal: string,
	at: number,
	reason: string,
): Promise<string | undefined> {
	const ids = await info.sessionsOf(principal);
	const records = (await Promise.all(ids.map((id) => info.read(id)))).filter((record) => record !== undefined);
	for (const { id } of records.sort((one, other) => one.lastUsedAt - other.lastUsedAt))
		if (await info.end(id, at, reason)) return id;
	return undefined;
}

/** Returns the `clientInfo` of the record's `initialize`. */
export function clientInfoOf(record: SessionRecord): ClientInfo {
	return record.initializeParams.clientInfo as ClientInfo;
}

/** Returns the client capabilities of the record's `initialize`. */
export function clientCapabilitiesOf(record: SessionRecord): Capabilities {
	return (record.initializeParams.capabilities ?? {}) as Capabilities;
}
