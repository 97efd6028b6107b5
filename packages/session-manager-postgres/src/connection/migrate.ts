import { type Migration, SessionManagerError } from '@holdfast/session-manager/custom';
import type { Client } from 'pg';
import { isThereSql, listSql, lockSql, pendingSql } from '../sql/migrations.js';

/** Makes the schema and brings it up to date, unless that is the administrator's work; then it is only looked at. */
export async function migrate(client: Client, schema: string, isOurWork: boolean): Promise<void> {
	const pending = pendingSql(schema, await applied(client, schema));
	if (pending === undefined) return;
	if (!isOurWork) {
		throw new SessionManagerError(
			'unavailable',
			`The schema ${schema} lacks migrations: run what postgresSchemaSql returns, or let the manager migrate.`,
		);
	}
	await client.query('begin');
	try {
		await client.query('set local statement_timeout = 0');
		await client.query('set local synchronous_commit = on');
		await client.query(lockSql(schema));
		// Another node may have done it meanwhile.
		const still = pendingSql(schema, await applied(client, schema));
		if (still !== undefined) await client.query(still);
		await client.query('commit');
	} catch (error) {
		await client.query('rollback');
		throw error;
	}
}

async function applied(client: Client, schema: string): Promise<Migration[]> {
	// What cannot be read must not count as missing.
	const { rows } = await client.query<{ there: boolean }>(isThereSql(schema));
	return rows[0]?.there === true ? (await client.query<Migration>(listSql(schema))).rows : [];
}
