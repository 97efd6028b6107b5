import { SessionManagerError } from '@holdfast/session-manager/custom';
import type { Client } from 'pg';

const ofConversations = ['conversation', 'member', 'message', 'context', 'discovery', 'removal'];

/** How many rights an error names. */
const NAMED = 5;

/** Reads the catalogue, as every role may. $1: schema, $2: the tables of conversations, $3: whether those are meant. */
const lackingSql = `
select c.relname || ' (' || lower(string_agg(p.may, ', ')) || ')' as lacking, current_user as role
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
cross join (values ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE')) p (may)
where n.nspname = $1 and c.relkind in ('r', 'p') and not c.relispartition and c.relname <> 'migration'
	and (c.relname = any ($2)) = $3 and not pg_catalog.has_table_privilege(c.oid, p.may)
group by c.relname
union all
select f.proname || ' (execute)', current_user
from pg_catalog.pg_proc f
join pg_catalog.pg_namespace n on n.oid = f.pronamespace
where n.nspname = $1 and not pg_catalog.has_function_privilege(f.oid, 'EXECUTE')
order by 1`;

/**
 * Throws where the role may not do what a manager of sessions needs in its schema, or a store of conversations: a node
 * must not be ready that would fail with the first write.
 */
export async function checkRights(client: Client, schema: string, isOfConversations: boolean): Promise<void> {
	const values = [schema, ofConversations, isOfConversations];
	const { rows } = await client.query<{ lacking: string; role: string }>(lackingSql, values);
	const [first] = rows;
	if (first === undefined) return;
	const named = rows.slice(0, NAMED).map(({ lacking }) => lacking);
	const more = rows.length > NAMED ? ` and ${rows.length - NAMED} more` : '';
	throw new SessionManagerError(
		'unavailable',
		`The role ${first.role} lacks rights in the schema ${schema}: ${named.join(', ')}${more}. ` +
			'Grant what the README lists under "The schema".',
	);
}
