import { type Migration, missingMigrations } from '@holdfast/session-manager/custom';

interface StoredMigration extends Migration {
	readonly sql: string;
}

interface Database {
	exec(sql: string): void;
	record(migration: Migration): void;
}

export function migrate(database: Database, migrations: readonly StoredMigration[], applied: readonly Migration[]) {
	//#region migrate
	for (const { id, breaking, sql } of missingMigrations(migrations, applied)) {
		database.exec(sql);
		database.record({ id, breaking });
	}
	//#endregion migrate
}
