import { DEFAULT_SCHEMA } from './connection/options.js';
import { lockSql, migrations, pendingSql } from './sql/migrations.js';

/**
 * Returns the SQL that makes everything the managers need in `schema`, for an administrator who runs it with `psql`
 * while the managers have `migrate: false`. With `from`, the number of the first migration that is still missing, it
 * brings an older schema up to date.
 *
 * @example
 * ```ts source="../test/examples/postgres-schema-sql.examples.ts#print"
 * console.log(postgresSchemaSql('holdfast'));
 * ```
 */
export function postgresSchemaSql(schema = DEFAULT_SCHEMA, from = 1): string {
	const applied = migrations.filter(({ id }) => id < from);
	const pending = pendingSql(schema, applied);
	return pending === undefined ? '' : `begin;\n${lockSql(schema)};\n${pending}commit;\n`;
}
