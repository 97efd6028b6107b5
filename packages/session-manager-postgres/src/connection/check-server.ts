import { SessionManagerError } from '@holdfast/session-manager/custom';
import type { Client } from 'pg';
import type { PostgresOptions } from './options.js';

interface Settings {
	readonly standby: boolean;
	readonly encoding: string;
	readonly commits: string;
	readonly timeout: string;
}

/**
 * Throws where the server cannot keep what the managers promise. Has it wait for the disk where `durability` says so.
 */
export async function checkServer(client: Client, { durability = 'fast' }: PostgresOptions): Promise<void> {
	const { rows } = await client.query<Settings>(
		`select pg_is_in_recovery() as standby, current_setting('server_encoding') as encoding,
			current_setting('synchronous_commit') as commits, current_setting('statement_timeout') as timeout`,
	);
	const [settings] = rows;
	if (settings === undefined) return;
	if (settings.standby) throw new Error('PostgreSQL is a standby there, and cannot be written to.');
	if (settings.encoding !== 'UTF8')
		throw unusable(`The database has the encoding ${settings.encoding}, which does not take every text: use UTF8.`);
	if (durability !== 'strict' || settings.commits !== 'off') return;
	// Without our own settings, there is a pooler that hands each transaction to another connection.
	if (settings.timeout === '0')
		throw unusable(
			'synchronous_commit is off for this role, so PostgreSQL may lose what it has acknowledged: set it on.',
		);
	await client.query('set synchronous_commit = on');
}

function unusable(message: string): SessionManagerError {
	return new SessionManagerError('unavailable', message);
}
