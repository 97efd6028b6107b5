import { chmodSync, closeSync, existsSync, openSync, renameSync, rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { missingMigrations, SessionManagerError, systemClock } from '@holdfast/session-manager/custom';
import { SqliteConnection } from './file/connection.js';
import { failureOf, type SqliteDriver } from './file/driver.js';
import { FILE_MODE, identityOf } from './file/file.js';
import { currentBoot, hostTime, isSameBoot, newEpoch } from './file/store-clock.js';
import { appliedMigrations, migrate, migrations, type SqliteMigration } from './schema.js';
import { worldStatements } from './statements/bus.js';
import { readWorld } from './transaction.js';

/** How long to wait before trying again while another process opens the file, in milliseconds. */
const RETRY_MS = 5;
/** By how much processes may read the clock of the host differently, in milliseconds. */
const CLOCK_SLACK_MS = 1_000;

/** A connection that is ready for use. */
export interface OpenedConnection {
	readonly connection: SqliteConnection;
	/** Which file it is to. */
	readonly identity: string;
	/** What is added to the host's time. */
	readonly shift: number;
	/** Whether other connections may use the file. */
	readonly isShared: boolean;
}

/** Opens the file, migrates it where an older version made it, and notes whether the host was started since. */
export async function openConnection(
	path: string,
	driver: SqliteDriver,
	patienceMs: number,
	known: readonly SqliteMigration[] = migrations,
): Promise<OpenedConnection> {
	const identity = identityOf(path);
	const connection = new SqliteConnection(driver.open(path));
	const version = versionOf(driver);
	const isShared = isSafe(version);
	try {
		connection.exec('PRAGMA busy_timeout = 0');
		if (!isShared) connection.exec('PRAGMA locking_mode = EXCLUSIVE');
		await retried(() => useWal(connection, path), patienceMs);
		connection.exec('PRAGMA synchronous = NORMAL');
		await retried(() => keepCopy(connection, driver, path, known), patienceMs);
		const shift = await retried(() => begin(connection, known), patienceMs);
		// Another file may have been put there meanwhile.
		if (identity === undefined || identityOf(path) !== identity) throw new Error(`${path} was replaced just now.`);
		return { connection, identity, shift, isShared };
	} catch (error) {
		connection.close();
		if (isShared || failureOf(error) !== 'busy') throw error;
		throw new SessionManagerError(
			'unavailable',
			`SQLite ${version} can damage a file that several processes write, and another one uses ${path}: use 3.51.3 or later.`,
			{ cause: error },
		);
	}
}

/**
 * Returns whether a version of SQLite may write a file together with others. The others may corrupt it: "The WAL-reset
 * bug" (sqlite.org/wal.html).
 */
export function isSafe(version: string): boolean {
	const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number);
	if (major !== 3) return major > 3;
	if (minor === 44) return patch >= 6;
	if (minor === 50) return patch >= 7;
	return minor > 51 || (minor === 51 && patch >= 3);
}

/** A file that another process has for itself does not even tell this. */
function versionOf(driver: SqliteDriver): string {
	const connection = new SqliteConnection(driver.open(':memory:'));
	try {
		return String(connection.get('SELECT sqlite_version() AS version')?.['version']);
	} finally {
		connection.close();
	}
}

/** Repeats `work` while another process is in the way. */
async function retried<T>(work: () => T, patienceMs: number): Promise<T> {
	for (const until = systemClock.monotonic() + patienceMs; ; ) {
		try {
			return work();
		} catch (error) {
			if (failureOf(error) !== 'busy' || systemClock.monotonic() > until) throw error;
		}
		await delay(RETRY_MS);
	}
}

function useWal(connection: SqliteConnection, path: string): void {
	const mode = connection.get('PRAGMA journal_mode = WAL')?.['journal_mode'];
	if (mode !== 'wal') throw new Error(`${path} is where processes share no memory: put it on another file system.`);
}

/** Keeps a copy of a file that is about to be migrated. Whoever opens it begins an epoch, as with any backup. */
function keepCopy(
	connection: SqliteConnection,
	driver: SqliteDriver,
	path: string,
	known: readonly SqliteMigration[],
): void {
	const applied = appliedMigrations(connection);
	const [first] = missingMigrations(known, applied);
	const copy = `${path}.before-${first?.id}`;
	if (applied.length === 0 || first === undefined || existsSync(copy)) return;
	const partial = `${copy}.${process.pid}`;
	rmSync(partial, { force: true });
	closeSync(openSync(partial, 'wx', FILE_MODE));
	connection.run('VACUUM INTO ?', partial);
	const kept = new SqliteConnection(driver.open(partial));
	kept.exec("UPDATE holdfast_world SET boot = ''");
	kept.close();
	chmodSync(partial, FILE_MODE);
	renameSync(partial, copy);
}

function begin(connection: SqliteConnection, known: readonly SqliteMigration[]): number {
	connection.exec('BEGIN IMMEDIATE');
	try {
		migrate(connection, known, systemClock.now());
		beginEpoch(connection);
		const { shift } = readWorld(connection);
		connection.exec('COMMIT');
		return shift;
	} catch (error) {
		connection.exec('ROLLBACK');
		throw error;
	}
}

/**
 * Begins an epoch in a new file, and where the host was started since: if the power failed, the newest commits may be
 * lost. The store's clock goes on by what the date says.
 */
function beginEpoch(connection: SqliteConnection): void {
	const boot = currentBoot();
	const world = connection.get(worldStatements.boot);
	if (world === undefined) return connection.run(worldStatements.create, newEpoch(), boot, 0, systemClock.now());
	const [shift, seenAt, wall] = [Number(world['shift']), Number(world['seen_at']), Number(world['wall'])];
	if (isSameBoot(String(world['boot']), boot) && hostTime() + shift > seenAt - CLOCK_SLACK_MS) return;
	const away = Math.max(0, systemClock.now() - wall);
	connection.run(worldStatements.begin, newEpoch(), boot, seenAt + away - hostTime());
}
