/** Everything that the doctor can find, by the name that scripts may rely on. */
export type FindingCode =
	| 'store-unreachable'
	| 'store-permission'
	| 'store-slow'
	| 'store-full'
	| 'store-silent'
	| 'node-hung'
	| 'redis-version'
	| 'redis-eviction'
	| 'redis-memory'
	| 'redis-expiry'
	| 'clock-skew'
	| 'postgres-version'
	| 'postgres-standby'
	| 'postgres-migration'
	| 'postgres-right'
	| 'postgres-pooler'
	| 'sqlite-file'
	| 'endpoint-unreachable'
	| 'endpoint-refuses'
	| 'endpoint-errors'
	| 'sessions-apart'
	| 'sticky-cookie'
	| 'unknown-session'
	| 'foreign-host'
	| 'foreign-origin'
	| 'other-store'
	| 'stream-buffered'
	| 'stream-compressed'
	| 'stream-idle-cut'
	| 'stream-cut'
	| 'stream-silent';

/** Something that is wrong. */
export interface Finding {
	readonly code: FindingCode;
	/** What was seen, in one sentence. */
	readonly what: string;
	/** What to do about it, in one sentence. */
	readonly repair: string;
}

/** Takes what checks find. */
export type Report = (code: FindingCode, what: string, repair: string) => void;
