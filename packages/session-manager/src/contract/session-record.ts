/** A value that JSON can represent. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined };

/** A JSON object. */
export type JsonObject = { readonly [key: string]: Json | undefined };

/** The `clientInfo` of `initialize` (Implementation in the schema). */
export type ClientInfo = JsonObject & { readonly name: string; readonly version: string };

/** The `capabilities` of `initialize`, the client's or the server's. */
export type Capabilities = JsonObject;

/** The levels of `logging/setLevel` (RFC 5424), least severe first. */
export const LOG_LEVELS = Object.freeze([
	'debug',
	'info',
	'notice',
	'warning',
	'error',
	'critical',
	'alert',
	'emergency',
] as const);

/** A level of `logging/setLevel`. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Returns whether `value` is a level of `logging/setLevel`. */
export function isLogLevel(value: unknown): value is LogLevel {
	return (LOG_LEVELS as readonly unknown[]).includes(value);
}

/**
 * The status of a living session: `opening` until the server has responded to `initialize`, where the session begins
 * before that; `suspended` while no node holds it in memory; otherwise `active`.
 */
export type SessionStatus = 'opening' | 'active' | 'suspended';

/**
 * The stored data of a session, except its subscriptions and its state. Times are milliseconds since the Unix epoch.
 */
export interface SessionRecord {
	readonly id: string;
	/** The owner of the session; absent for an anonymous session. */
	readonly principal?: string | undefined;
	/** The address that the session was created from; absent where its principal is verified, or the address unknown. */
	readonly remoteAddress?: string | undefined;
	/** The claims of the verified token, kept for tools to read. */
	readonly claims?: JsonObject | undefined;
	/** The negotiated protocol version. */
	readonly protocolVersion: string;
	/** The complete `params` of the client's `initialize`: any node can recreate the live server by replaying them. */
	readonly initializeParams: JsonObject;
	/** The capabilities that the server declared in its `initialize` response. */
	readonly serverCapabilities: Capabilities;
	readonly logLevel?: LogLevel | undefined;
	readonly createdAt: number;
	/** Where the broadcasts stood when the session began (`StreamSessionManager.position`). */
	readonly broadcastsSince?: string | undefined;
	/** When the session was last used, as precisely as touches are throttled. */
	readonly lastUsedAt: number;
	/** How long an unused session lives, in milliseconds; absent: forever. */
	readonly idleTtlMs?: number | undefined;
	/** When the session expires even if it is in use; absent: never. */
	readonly endsAt?: number | undefined;
	/** Absent: `active`. */
	readonly status?: SessionStatus | undefined;
	/** The transport that serves the session; absent: Streamable HTTP. */
	readonly transport?: 'sse' | undefined;
	/** How long the record and state can be read after the session has ended, in milliseconds; absent: not at all. */
	readonly keepEndedMs?: number | undefined;
	/**
	 * What the record is where it is no session, in a word such as `task`; absent: a session. Such a record is read,
	 * changed and ends as a session does. No limit of sessions counts it, so a store full of sessions takes it, and
	 * `scan` does not return it. A store keeps as many of them as sessions, of all kinds together. It takes those
	 * without a principal only while less than three quarters of that room are taken. A subclass that does not know this
	 * field keeps such a record as a session.
	 */
	readonly kind?: string | undefined;
}

/** A session that has ended. */
export interface EndedSession {
	/** The record as it was when the session ended. */
	readonly record: SessionRecord;
	/** When the session ended, in milliseconds since the Unix epoch. */
	readonly endedAt: number;
	/** Why the session ended: `expired`, or the given reason. */
	readonly reason: string;
}

/** Limits on the number of sessions. */
export interface SessionLimits {
	/** The most living sessions of one principal, or records of one kind; absent: unlimited. */
	readonly perPrincipal?: number | undefined;
}

/** The fields of a record that can change; an absent field stays as it is. See {@link patched}. */
export interface SessionPatch
	extends Partial<
		Pick<
			SessionRecord,
			'initializeParams' | 'protocolVersion' | 'serverCapabilities' | 'logLevel' | 'endsAt' | 'idleTtlMs' | 'status'
		>
	> {
	/** Replaces `clientInfo` in `initializeParams`, and leaves the other members as they are. */
	readonly clientInfo?: ClientInfo | undefined;
	/** Replaces `capabilities` in `initializeParams`, and leaves the other members as they are. */
	readonly clientCapabilities?: Capabilities | undefined;
}

/** Returns `record` with `patch` applied. */
export function patched(record: SessionRecord, patch: SessionPatch): SessionRecord {
	const { clientInfo, clientCapabilities, ...fields } = patch;
	const changed = { ...record, ...fields };
	if (clientInfo === undefined && clientCapabilities === undefined) return changed;
	const initializeParams = {
		...changed.initializeParams,
		...(clientInfo !== undefined && { clientInfo }),
		...(clientCapabilities !== undefined && { capabilities: clientCapabilities }),
	};
	return { ...changed, initializeParams };
}

/** Returns the status of a living session. */
export function statusOf(record: Pick<SessionRecord, 'status'>): SessionStatus {
	return record.status ?? 'active';
}

/** Returns when `record` expires if it is not used again; `undefined`: never. */
export function expiryOf(record: Pick<SessionRecord, 'idleTtlMs' | 'lastUsedAt' | 'endsAt'>): number | undefined {
	const idle = record.idleTtlMs === undefined ? Number.POSITIVE_INFINITY : record.lastUsedAt + record.idleTtlMs;
	const expiry = Math.min(idle, record.endsAt ?? Number.POSITIVE_INFINITY);
	return expiry === Number.POSITIVE_INFINITY ? undefined : expiry;
}

/** Returns whether `record` has expired at `now`. */
export function isExpired(record: SessionRecord, now: number): boolean {
	const expiry = expiryOf(record);
	return expiry !== undefined && expiry <= now;
}
