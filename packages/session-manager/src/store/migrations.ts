import { SessionManagerError } from '../contract/session-manager-error.js';

/**
 * One step from one layout of a store to the next. Migrations are numbered from 1 without holes. One that was released
 * never changes: the next change is the next migration.
 */
export interface Migration {
	readonly id: number;
	/** Whether a version that does not know this migration cannot work with what it makes. */
	readonly breaking: boolean;
}

/**
 * Returns those of `migrations` that a store lacks, in order, given all that were `applied` to it. A store that a newer
 * version has migrated is usable, unless one of those migrations is breaking: then it throws `SessionManagerError`
 * `unavailable`. A store must look and migrate in one transaction that excludes other nodes.
 *
 * @example
 * ```ts source="../../test/examples/migrations.examples.ts#migrate"
 * for (const { id, breaking, sql } of missingMigrations(migrations, applied)) {
 * 	database.exec(sql);
 * 	database.record({ id, breaking });
 * }
 * ```
 */
export function missingMigrations<M extends Migration>(
	migrations: readonly M[],
	applied: readonly Migration[],
): readonly M[] {
	const known = new Set(migrations.map(({ id }) => id));
	const unknown = applied.find(({ id, breaking }) => breaking && !known.has(id));
	if (unknown !== undefined) {
		throw new SessionManagerError(
			'unavailable',
			`The store has migration ${unknown.id}, with which this version of Holdfast cannot work: upgrade this node.`,
		);
	}
	const done = new Set(applied.map(({ id }) => id));
	return migrations.filter(({ id }) => !done.has(id));
}
