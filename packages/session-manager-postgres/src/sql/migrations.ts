import { type Migration, missingMigrations } from '@holdfast/session-manager/custom';
import { appendFunctions } from './append-functions.js';
import { conversationErasure } from './conversation-erasure.js';
import { conversationFunctions } from './conversation-functions.js';
import { conversationKept } from './conversation-kept.js';
import { conversationTables } from './conversation-tables.js';
import { conversationUnused } from './conversation-unused.js';
import { conversationUse } from './conversation-use.js';
import { conversationVersions } from './conversation-versions.js';
import { conversationWriters } from './conversation-writers.js';
import { quoted } from './identifier.js';
import { infoFunctions } from './info-functions.js';
import { keptLeases } from './kept-leases.js';
import { recordKinds } from './record-kinds.js';
import { keepBroadcasts, streamFunctions } from './stream-functions.js';
import { streamHandover } from './stream-handover.js';
import { tables } from './tables.js';

interface SqlMigration extends Migration {
	/** The statements, given the quoted schema. */
	readonly sql: (schema: string) => string;
}

/**
 * Append only: what was released never changes. A function that changes for its callers gets a new name, and the old
 * one stays for a major version, so that nodes of both versions work side by side.
 */
export const migrations: readonly SqlMigration[] = [
	{
		id: 1,
		breaking: true,
		sql: (schema) => tables(schema) + streamFunctions(schema) + appendFunctions(schema) + infoFunctions(schema),
	},
	{ id: 2, breaking: false, sql: (schema) => conversationTables(schema) + conversationFunctions(schema) },
	{ id: 3, breaking: false, sql: recordKinds },
	{ id: 4, breaking: false, sql: conversationUse },
	{ id: 5, breaking: false, sql: conversationVersions },
	{ id: 6, breaking: false, sql: conversationUnused },
	{ id: 7, breaking: false, sql: conversationWriters },
	{ id: 8, breaking: false, sql: conversationErasure },
	{ id: 9, breaking: false, sql: (schema) => streamHandover(schema) + keepBroadcasts(schema) },
	{ id: 10, breaking: false, sql: keptLeases },
	{ id: 11, breaking: false, sql: conversationKept },
];

/**
 * Returns the statement that says whether a schema has a list of its migrations. It reads the catalogue itself: what
 * `to_regclass` returns may be older than the lock that this transaction has just waited for.
 */
export function isThereSql(schema: string): string {
	return `select exists (
		select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
		where '"' || n.nspname || '"' = '${quoted(schema)}' and c.relname = 'migration'
	) as there`;
}

/** Reads the migrations that were applied, where there are any. */
export function listSql(schema: string): string {
	return `select id, breaking from ${quoted(schema)}.migration order by id`;
}

/** The statement that keeps other nodes from migrating the same schema until the transaction ends. */
export function lockSql(schema: string): string {
	return `select pg_advisory_xact_lock(hashtext('holdfast migration'), hashtext('${quoted(schema)}'))`;
}

/** Returns the statements that the schema still needs; `undefined` where it needs none. */
export function pendingSql(schema: string, applied: readonly Migration[]): string | undefined {
	const missing = missingMigrations(migrations, applied);
	if (missing.length === 0) return undefined;
	const name = quoted(schema);
	// Where it is there already, the role may have no right to make one.
	const begin = `do $$ begin
	if not exists (select from pg_namespace where '"' || nspname || '"' = '${name}') then
		create schema ${name};
	end if;
end $$;
create table if not exists ${name}.migration (
	id integer primary key,
	breaking boolean not null,
	applied timestamptz not null default now()
);
`;
	// Names of the schema "public" that somebody else may have made must not be found in place of PostgreSQL's own.
	const searched = 'set local search_path to pg_catalog, pg_temp;\n';
	return (
		searched +
		(applied.length === 0 ? begin : '') +
		missing
			.map(
				({ id, breaking, sql }) =>
					`${sql(name)}insert into ${name}.migration (id, breaking) values (${id}, ${breaking});\n`,
			)
			.join('')
	);
}
