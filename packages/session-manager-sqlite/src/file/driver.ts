import { createRequire } from 'node:module';
import { toError } from '@holdfast/session-manager/internal';

/** What a statement takes and returns. */
export type SqliteValue = string | number | bigint | null | Uint8Array;

/** A prepared statement, in the shape that `node:sqlite` and better-sqlite3 share. */
export interface SqliteStatement {
	run(...values: SqliteValue[]): unknown;
	get(...values: SqliteValue[]): unknown;
	all(...values: SqliteValue[]): unknown[];
}

/** A connection, in the shape that `node:sqlite` and better-sqlite3 share. */
export interface SqliteDatabase {
	exec(sql: string): unknown;
	prepare(sql: string): SqliteStatement;
	close(): unknown;
}

/**
 * Which file: its path, or an open connection to it. A connection serves as a template only: managers open connections
 * of their own to its file with its class, and never use or close it.
 */
export type SqliteSource = string | SqliteDatabase;

type DatabaseClass = new (path: string) => SqliteDatabase;

/** How connections are opened. */
export interface SqliteDriver {
	open(path: string): SqliteDatabase;
	/** What a worker thread must `require` for the same class; `undefined` where that is not known. */
	readonly module: string | undefined;
}

const PACKAGE = '@photostructure/sqlite';

/** Returns the path of the file that `source` names. Throws a `TypeError` where there is none. */
export function pathOf(source: SqliteSource): string {
	if (typeof source === 'string') return source;
	const main = source.prepare('PRAGMA database_list').get() as { readonly file?: string } | undefined;
	if (main?.file) return main.file;
	throw new TypeError('The database has no file: open it with the path of one.');
}

/** Returns the driver of `source`. Rejects where this version of Node has none and none is installed. */
export async function driverOf(source: SqliteSource): Promise<SqliteDriver> {
	if (typeof source !== 'string') {
		const Database = source.constructor as DatabaseClass;
		return { open: (path) => new Database(path), module: undefined };
	}
	const builtin = process.getBuiltinModule?.('node:sqlite') as { readonly DatabaseSync: DatabaseClass } | undefined;
	const name = builtin === undefined ? PACKAGE : 'node:sqlite';
	const { DatabaseSync } = builtin ?? (await installed());
	return {
		open: (path) => new DatabaseSync(path),
		module: builtin === undefined ? createRequire(import.meta.url).resolve(PACKAGE) : name,
	};
}

async function installed(): Promise<{ readonly DatabaseSync: DatabaseClass }> {
	try {
		return (await import('@photostructure/sqlite')) as unknown as { readonly DatabaseSync: DatabaseClass };
	} catch (cause) {
		throw new Error(`This version of Node has no SQLite: use Node 22.13 or later, or run npm install ${PACKAGE}.`, {
			cause,
		});
	}
}

/** What went wrong, as far as it makes a difference. */
export type SqliteFailure = 'busy' | 'full' | 'readonly' | 'corrupt' | 'io' | 'other';

/** The primary result codes of SQLite that say so. */
const failures: Readonly<Record<number, SqliteFailure>> = Object.freeze({
	5: 'busy',
	6: 'busy',
	8: 'readonly',
	10: 'io',
	11: 'corrupt',
	13: 'full',
	14: 'io',
	26: 'corrupt',
});
const names: readonly (readonly [RegExp, SqliteFailure])[] = [
	[/^SQLITE_(BUSY|LOCKED)/, 'busy'],
	[/^SQLITE_READONLY/, 'readonly'],
	[/^SQLITE_(IOERR|CANTOPEN)/, 'io'],
	[/^SQLITE_(CORRUPT|NOTADB)/, 'corrupt'],
	[/^SQLITE_FULL/, 'full'],
	// What the system says of the files beside the database.
	[/^(EACCES|EPERM|EROFS)$/, 'readonly'],
	[/^(ENOSPC|EDQUOT)$/, 'full'],
];

/** Says what went wrong in a statement, whichever driver ran it, or with a file beside the database. */
export function failureOf(thrown: unknown): SqliteFailure {
	// node:sqlite has a number, better-sqlite3 a name.
	const { errcode, code } = toError(thrown) as { readonly errcode?: unknown; readonly code?: unknown };
	if (typeof errcode === 'number') return failures[errcode & 0xff] ?? 'other';
	return names.find(([name]) => name.test(String(code)))?.[1] ?? 'other';
}
