import { Statement } from './statement.js';

/** The statements of the info manager. Each is one transaction; its parameters stand above it. */
export function infoStatements(schema: string) {
	const living = `${schema}.is_living(s, ${schema}.now_ms())`;
	const fields = `s.id, s.principal, s.record, s.initialize_params, s.client_info, s.client_capabilities,
		s.server_capabilities, s.protocol_version, s.log_level, s.status, s.created_at, s.last_used_at, s.idle_ttl_ms,
		s.ends_at, s.keep_ended_ms, s.kind, s.ended_at, s.end_reason`;
	return {
		/** Parameters as of the function. Returns what became of it. */
		create: new Statement(
			'create',
			`select ${schema}.create_record($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
			$19, $20, $21) as result`,
		),
		/**
		 * Id. Returns the fields, whether it lives, and whether anything is kept of it: as one JSON object, because pg
		 * takes longer for many columns than for all the rest.
		 */
		read: new Statement(
			'read',
			`select row_to_json(r) as result from (
				select ${fields}, ${living} as living, ${schema}.kept_until(s) > ${schema}.now_ms() as kept
				from ${schema}.session s where s.id = $1
			) r`,
		),
		/** Id, when it was used, the node's time. Affects a row where the session lives. */
		touch: new Statement(
			'touch',
			`update ${schema}.session s set last_used_at = greatest(s.last_used_at, $2::float8),
				used_at = greatest(s.used_at, ${schema}.now_ms() + $2::float8 - $3::float8)
			where s.id = $1 and ${living}`,
		),
		/** Id. */
		delete: new Statement('delete', `select ${schema}.delete_session($1) as result`),
		/** Id, when it ended, reason, the node's time. */
		end: new Statement('end', `select ${schema}.end_session($1, $2, $3, $4) as result`),
		/** When it ends, reason, the node's time. Returns the id of the session that ended, or that there is more to do. */
		endUnused: new Statement('end-unused', `select ended, more from ${schema}.end_unused($1, $2, $3)`),
		/** The same, and the hash of a principal. Returns the id of the session that ended. */
		endUnusedOf: new Statement('end-unused-of', `select ${schema}.end_unused_of($4, $1, $2, $3) as result`),
		/** Id, hash of the resource, resource. */
		subscribe: new Statement('subscribe', `select ${schema}.subscribe($1, $2, $3) as result`),
		/** Id, hash of the resource. Affects a row where there was such a subscription. */
		unsubscribe: new Statement(
			'unsubscribe',
			`delete from ${schema}.subscription u using ${schema}.session s
			where u.session = $1 and u.uri_hash = $2 and s.id = u.session and ${living}`,
		),
		/** Hash of a resource, the last id that was seen, how many. Returns ids of sessions, and whether each lives. */
		subscribers: new Statement(
			'subscribers',
			`select u.id, s.id is not null and ${living} as living from (
				select session as id from ${schema}.subscription
				where uri_hash = $1 and session > $2 order by session limit $3
			) u left join ${schema}.session s on s.id = u.id order by u.id`,
		),
		/** Id. Returns the resources. */
		subscriptions: new Statement(
			'subscriptions',
			`select u.uri as text from ${schema}.subscription u join ${schema}.session s on s.id = u.session
			where s.id = $1 and ${living}`,
		),
		/** Id, hash of the key. Returns the value. */
		readState: new Statement(
			'read-state',
			`select v.key, v.version, v.value from ${schema}.state v join ${schema}.session s on s.id = v.session
			where s.id = $1 and v.key_hash = $2 and ${schema}.kept_until(s) > ${schema}.now_ms()`,
		),
		/** Id. Returns all values. */
		listState: new Statement(
			'list-state',
			`select v.key, v.version, v.value from ${schema}.state v join ${schema}.session s on s.id = v.session
			where s.id = $1 and ${schema}.kept_until(s) > ${schema}.now_ms()`,
		),
		/** Parameters as of the function. */
		writeState: new Statement('write-state', `select ${schema}.write_state($1, $2, $3, $4, $5, $6, $7) as result`),
		/** The last id that was seen, how many. Returns the fields of living sessions. */
		scan: new Statement(
			'scan',
			`select ${fields} from ${schema}.session s
			where s.id > $1 and s.kind is null and ${living} order by s.id limit $2`,
		),
		/** Hash of a principal, kind or null. Returns the ids of what is kept of its sessions, or records of the kind. */
		owned: new Statement(
			'owned',
			`select s.id as text from ${schema}.session s
			where s.principal_hash = $1 and s.kind is not distinct from $2
				and ${schema}.kept_until(s) > ${schema}.now_ms()`,
		),
		/** How many to look at, and to remove. Returns how many it removed, and whether there is more to look at. */
		reap: new Statement('reap', `select freed, more from ${schema}.reap_sessions($1, $2)`),
		recount: new Statement('recount', `select ${schema}.recount_sessions()`),
		/** Name, holder, milliseconds. Returns whether the holder has it now. */
		acquireLease: new Statement('acquire-lease', `select ${schema}.acquire_lease($1, $2, $3) as result`),
		/** Name, holder. */
		releaseLease: new Statement('release-lease', `delete from ${schema}.lease where name = $1 and holder = $2`),
		/** How many. Returns how many of those that are over it removed. */
		removeLeases: new Statement('remove-leases', `select ${schema}.remove_leases($1) as result`),
		/** Id, record, milliseconds. */
		announce: new Statement(
			'announce',
			`with gone as (delete from ${schema}.node where until <= ${schema}.now_ms() and id <> $1)
			insert into ${schema}.node (id, record, until) values ($1, $2, ${schema}.now_ms() + $3::float8)
			on conflict (id) do update set record = excluded.record, until = excluded.until`,
		),
		/** Id. */
		withdraw: new Statement('withdraw', `delete from ${schema}.node where id = $1`),
		nodes: new Statement('nodes', `select record as text from ${schema}.node where until > ${schema}.now_ms()`),
	};
}

/** The columns that an update may set; each value is a parameter. */
const columns = Object.freeze({
	initializeParams: 'initialize_params',
	clientInfo: 'client_info',
	clientCapabilities: 'client_capabilities',
	client: 'client',
	protocolVersion: 'protocol_version',
	serverCapabilities: 'server_capabilities',
	logLevel: 'log_level',
	status: 'status',
	idleTtlMs: 'idle_ttl_ms',
	endsAt: 'ends_at',
});

/** A field that an update may set. */
export type UpdatedField = keyof typeof columns;

/**
 * Returns the statement that sets `fields` of a living session. Parameters: id, required status or null, the node's
 * time, then a value for each field. Affects a row where it did.
 */
export function updateStatement(schema: string, fields: readonly UpdatedField[]): Statement {
	const set = fields.map(
		(field, index) =>
			`${columns[field]} = $${index + 4}${field === 'endsAt' || field === 'idleTtlMs' ? '::float8' : ''}`,
	);
	const ttl = fields.includes('idleTtlMs') ? `$${fields.indexOf('idleTtlMs') + 4}::float8` : 's.idle_ttl_ms';
	const endsAt = fields.indexOf('endsAt');
	const over = endsAt === -1 ? 's.over_at' : `$${endsAt + 4}::float8 + ${schema}.now_ms() - $3::float8`;
	if (endsAt !== -1) set.push(`over_at = ${over}`);
	// A sweeper that comes too early looks again later; one must not come too late.
	set.push(`reap_at = least(s.reap_at, coalesce(least(s.used_at + ${ttl}, ${over}), 'infinity'))`);
	return new Statement(
		`update ${fields.join(' ')}`,
		`update ${schema}.session s set ${set.join(', ')}
		where s.id = $1 and ${schema}.is_living(s, ${schema}.now_ms())
			and ($2::text is null or coalesce(s.status, 'active') = $2) and $3::float8 is not null`,
	);
}
