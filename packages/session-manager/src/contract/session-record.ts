/** A value that JSON can carry. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined };

/** A JSON object. */
export type JsonObject = { readonly [key: string]: Json | undefined };

/** `clientInfo` of `initialize` (Implementation in the schema). */
export type ClientInfo = JsonObject & { readonly name: string; readonly version: string };

/** `capabilities` of `initialize`, client's or server's. */
export type Capabilities = JsonObject;

/** Levels of RFC 5424, as `logging/setLevel` has them, least severe first. */
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

/** Whether `value` is a level of `logging/setLevel`. */
export function isLogLevel(value: unknown): value is LogLevel {
	return (LOG_LEVELS as readonly unknown[]).includes(value);
}

/**
 * Where a living session is in its life: `opening` until `initialize` is answered, where the session begins before that;
 * `suspended` while no node keeps anything of it in memory; otherwise `active`.
 */
export type SessionStatus = 'opening' | 'active' | 'suspended';

/** What is stored of a session, subscriptions and state apart. Times are milliseconds since the Unix epoch. */
export interface SessionRecord {
	readonly id: string;
	/** Who the session belongs to; absent for an anonymous session. */
	readonly principal?: string | undefined;
	/** What the verified token said, kept for tools to read. */
	readonly claims?: JsonObject | undefined;
	/** The revision that was negotiated. */
	readonly protocolVersion: string;
	/** The `params` of the client's `initialize`, whole: any node can make the live server again by replaying it. */
	readonly initializeParams: JsonObject;
	/** What the server declared in its answer to `initialize`. */
	readonly serverCapabilities: Capabilities;
	readonly logLevel?: LogLevel | undefined;
	readonly createdAt: number;
	/** When the session was last used, as exact as touches are throttled. */
	readonly lastUsedAt: number;
	/** The session expires when it was not used for so long; absent: never. */
	readonly idleTtlMs?: number | undefined;
	/** The session expires then, used or not; absent: never. */
	readonly endsAt?: number | undefined;
	/** Absent: `active`. */
	readonly status?: SessionStatus | undefined;
	/** The transport that serves the session; absent: Streamable HTTP. */
	readonly transport?: 'sse' | undefined;
	/** For how long record and state can be read after the session has ended; absent: not at all. */
	readonly keepEndedMs?: number | undefined;
}

/** A session that is over. */
export interface EndedSession {
	/** The record as it was at the end. */
	readonly record: SessionRecord;
	/** When it ended, in milliseconds since the Unix epoch. */
	readonly endedAt: number;
	/** Why it ended: `expired`, or the reason that was given. */
	readonly reason: string;
}

/** How many sessions there may be. */
export interface SessionLimits {
	/** Living sessions of one principal; absent: any number. */
	readonly perPrincipal?: number | undefined;
}

/** What may change in a record after it was made; a field that is absent stays as it is. */
export type SessionPatch = Partial<
	Pick<
		SessionRecord,
		'initializeParams' | 'protocolVersion' | 'serverCapabilities' | 'logLevel' | 'endsAt' | 'idleTtlMs' | 'status'
	>
>;

/** Where a living session is in its life. */
export function statusOf(record: SessionRecord): SessionStatus {
	return record.status ?? 'active';
}

/** When `record` expires if nobody uses it; `undefined`: never. */
export function expiryOf(record: SessionRecord): number | undefined {
	const idle = record.idleTtlMs === undefined ? Number.POSITIVE_INFINITY : record.lastUsedAt + record.idleTtlMs;
	const expiry = Math.min(idle, record.endsAt ?? Number.POSITIVE_INFINITY);
	return expiry === Number.POSITIVE_INFINITY ? undefined : expiry;
}

/** Whether `record` has expired at `now`. */
export function isExpired(record: SessionRecord, now: number): boolean {
	const expiry = expiryOf(record);
	return expiry !== undefined && expiry <= now;
}
