import { type Migration, SessionManagerError, systemClock } from '@holdfast/session-manager/custom';
import type { Client } from 'pg';
import { isThereSql, listSql, lockSql, pendingSql } from '../sql/migrations.js';

/** How long a migration may wait for a lock, in milliseconds: all that other nodes ask for waits behind it. */
const LOCK_TIMEOUT_MS = 200;
/** The same for its turn, in which only other migrations wait. */
const TURN_TIMEOUT_MS = 2_500;
/** How long nodes go on with their work before the next attempt, in milliseconds. */
const PAUSE_MS = 1_000;
/** How long the server keeps a migration open whose node does not go on, in milliseconds. */
const ABANDONED_MS = 5_000;

/** Runs a step that gets its reply soon, or gives the connection up. */
export type InTime = <T>(step: Promise<T>) => Promise<T | undefined>;

/** Returns whether a schema is there and up to date. */
export async function isMigrated(client: Client, schema: string): Promise<boolean> {
	return pendingSql(schema, await applied(client, schema)) === undefined;
}

/**
 * Makes the schema and brings it up to date, unless that is the administrator's work. While somebody holds a lock on
 * what is to be changed, for as long as a dump takes, the other nodes go on and this one tries again.
 */
export async function migrate(client: Client, schema: string, isOurWork: boolean, inTime: InTime): Promise<void> {
	if (!isOurWork) {
		throw new SessionManagerError(
			'unavailable',
			`The schema ${schema} lacks migrations: run what postgresSchemaSql returns, or let the manager migrate.`,
		);
	}
	while (!(await isDone(client, schema, inTime))) {
		await new Promise<void>((resolve) => void systemClock.after(PAUSE_MS, resolve));
	}
}

/** Tries once. Returns `false` where somebody holds a lock. */
async function isDone(client: Client, schema: string, inTime: InTime): Promise<boolean> {
	await inTime(
		client.query(
			`begin; set local lock_timeout = ${TURN_TIMEOUT_MS}; set local statement_timeout = 0;
			set local idle_in_transaction_session_timeout = ${ABANDONED_MS}; set local synchronous_commit = on`,
		),
	);
	try {
		await inTime(client.query(lockSql(schema)));
		// Another node may have done it meanwhile.
		const pending = pendingSql(schema, (await inTime(applied(client, schema))) ?? []);
		// In one message: a node that is stopped in between would hold its locks.
		await client.query(`set local lock_timeout = ${LOCK_TIMEOUT_MS}; ${pending ?? ''}commit`);
		return true;
	} catch (error) {
		await inTime(client.query('rollback'));
		if ((error as { code?: unknown }).code === lockNotAvailable) return false;
		throw error;
	}
}

const lockNotAvailable = '55P03';

async function applied(client: Client, schema: string): Promise<Migration[]> {
	// What cannot be read must not count as missing.
	const { rows } = await client.query<{ there: boolean }>(isThereSql(schema));
	return rows[0]?.there === true ? (await client.query<Migration>(listSql(schema))).rows : [];
}
