import { bytes, clock, count, flag, group, ms, option, word } from '@holdfast/session-manager/internal';
import type { ClientConfig } from 'pg';
import { isIdentifier } from '../sql/identifier.js';

/** Options that both managers have. */
export interface PostgresOptions {
	/**
	 * The schema of every table and function. Two schemas in one database are two worlds.
	 *
	 * @default `holdfast`
	 */
	readonly schema?: string;
	/**
	 * TLS, as `pg` takes it; it replaces what the URL says.
	 *
	 * @default what the URL says
	 */
	readonly ssl?: ClientConfig['ssl'];
	/**
	 * Whether connections have prepared statements and settings of their own. A pooler that hands its connections out for
	 * each transaction may need `false`.
	 *
	 * @default `true`
	 */
	readonly prepare?: boolean;
	/**
	 * Whether a commit waits for the disk: with `fast` a crash of the server may take back the last 0.6 seconds, of which
	 * clients are told; with `strict` it takes nothing back.
	 *
	 * @default `fast`
	 */
	readonly durability?: 'fast' | 'strict';
	/**
	 * Whether a manager makes its schema and brings it up to date. With `false`, an administrator does so with what
	 * `postgresSchemaSql` returns.
	 *
	 * @default `true`
	 */
	readonly migrate?: boolean;
}

/** The schema where the caller names none. */
export const DEFAULT_SCHEMA = 'holdfast';

const isObject = (value: unknown) => typeof value === 'object' && value !== null;

/** The options of both managers: one object may serve both. */
export const postgresOptions = {
	schema: option('1 to 63 letters, digits, "_" or "-" of ASCII', isIdentifier),
	ssl: option('true, false or options of TLS', (value) => typeof value === 'boolean' || isObject(value)),
	prepare: flag,
	durability: word('fast', 'strict'),
	migrate: flag,
	listenUrl: option('a URL or a configuration', (value) => typeof value === 'string' || isObject(value)),
	maxSessions: count,
	history: group('{ maxEvents, maxBytes, maxAgeMs }', { maxEvents: count, maxBytes: bytes, maxAgeMs: ms }),
	maxBufferedBytes: bytes,
	clock,
};
