import type { ClientConfig } from 'pg';

/** How to reach PostgreSQL: a URL, or the configuration of a `pg` client. Managers make connections of their own. */
export type PostgresSource = string | ClientConfig;

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
