import { placeOf } from '@holdfast/session-manager/custom';
import type { Client } from 'pg';
import type { Settings } from '../settings.js';
import { reasonOf } from '../store/open-store.js';
import { examineClock } from './clock.js';
import type { Report } from './finding.js';

const OLDEST_VERSION = 15;

/** What the role lacks in the schema: reading, writing and truncating tables, and calling functions. */
const lackingSql = `
select c.relname || ': ' || lower(p.may) as lacking
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
cross join (values ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE'), ('TRUNCATE')) p (may)
where n.nspname = $1 and c.relkind in ('r', 'p')
	and (p.may <> 'TRUNCATE' or c.relname ~ '^event_[0-9]+$')
	and not pg_catalog.has_table_privilege(c.oid, p.may)
union all
select f.proname || ': execute'
from pg_catalog.pg_proc f
join pg_catalog.pg_namespace n on n.oid = f.pronamespace
where n.nspname = $1 and not pg_catalog.has_function_privilege(f.oid, 'EXECUTE')
order by 1`;

/** Examines what only PostgreSQL has. Returns `false` where it cannot be used. */
export async function examinePostgres({ store = '', schema = 'holdfast' }: Settings, report: Report): Promise<boolean> {
	const { Client } = (await import('pg')).default;
	const client = new Client({ connectionString: store, connectionTimeoutMillis: 3_000 });
	client.on('error', () => {});
	try {
		await client.connect();
		return await examineServer(client, schema, report);
	} catch (error) {
		const what = `PostgreSQL at ${placeOf(store)} cannot be reached: ${reasonOf(error)}.`;
		report('store-unreachable', what, 'See that it runs, and that address, TLS, user and password are right.');
		return false;
	} finally {
		await client.end().catch(() => {});
	}
}

async function examineServer(client: Client, schema: string, report: Report): Promise<boolean> {
	const asked = Date.now();
	const server = await client.query(
		`select current_setting('server_version') as version, pg_is_in_recovery() as standby,
		extract(epoch from clock_timestamp())::float8 * 1000 as time, current_user as role,
		to_regnamespace(quote_ident($1)) is not null as there,
		coalesce(has_schema_privilege(to_regnamespace(quote_ident($1)), 'USAGE'), true) as usable`,
		[schema],
	);
	const { version, standby, time, role, there, usable } = server.rows[0] as Readonly<Record<string, unknown>>;
	examineClock('PostgreSQL', Number(time), asked, Date.now(), report);
	if (Number.parseInt(String(version), 10) < OLDEST_VERSION) {
		report('postgres-version', `PostgreSQL ${version} is too old.`, `Run PostgreSQL ${OLDEST_VERSION} or later.`);
		return false;
	}
	if (standby === true) {
		report(
			'postgres-standby',
			'The server is a standby, which cannot be written to.',
			'Give the address of the primary.',
		);
		return false;
	}
	const applied = there === true && (await isMigrated(client, schema));
	if (!applied) {
		const what = `The schema ${schema} is not there, or was never migrated.`;
		report('postgres-migration', what, 'Run holdfast migrate, or let an administrator run holdfast migrate --print.');
		return false;
	}
	const { rows } = await client.query(lackingSql, [schema]);
	const lacking = rows.map((row: { readonly lacking: string }) => row.lacking);
	if (usable !== true) lacking.unshift(`schema ${schema}: usage`);
	if (lacking.length === 0) return true;
	const more = lacking.length > 5 ? ` and ${lacking.length - 5} more` : '';
	const what = `The role ${role} lacks rights: ${lacking.slice(0, 5).join(', ')}${more}.`;
	report(
		'postgres-right',
		what,
		'Grant what the README of @holdfast/session-manager-postgres lists under "The schema".',
	);
	return false;
}

/** Reads the catalogue, which every role may. */
async function isMigrated(client: Client, schema: string): Promise<boolean> {
	const { rowCount } = await client.query(
		`select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
		where n.nspname = $1 and c.relname = 'migration'`,
		[schema],
	);
	return rowCount === 1;
}
