/**
 * Records that are no sessions: `kind` says what they are. They are never `counted` as sessions, and count from when
 * they are created until they are removed. Functions that are replaced here serve nodes of older versions too, which
 * kept tasks as sessions: `task` and a space begin their ids, `task` and a line break their principals.
 */
export const recordKinds = (schema: string): string => `
alter table ${schema}.session add column kind text collate "C";
create index session_kind on ${schema}.session (kind) where kind is not null;
alter table ${schema}.counter add column records bigint not null default 0;

-- Removes sessions whose rows the caller has locked.
create or replace function ${schema}.purge_sessions(p_ids text[]) returns void language plpgsql
as $$
declare
	v_records bigint;
begin
	delete from ${schema}.subscription where session = any (p_ids);
	delete from ${schema}.state where session = any (p_ids);
	perform ${schema}.discount_sessions(p_ids);
	with gone as (delete from ${schema}.session where id = any (p_ids) returning kind)
	select count(kind) into v_records from gone;
	if v_records > 0 then update ${schema}.counter set records = records - v_records; end if;
end $$;

-- Puts the counters right, whatever was done to the table by hand. It compares first without a lock, because counting
-- takes long; one statement sees everything as it was at one moment.
create or replace function ${schema}.recount_sessions() returns void language plpgsql
as $$
begin
	perform 1 from ${schema}.counter c
	where c.sessions = (select count(*) from ${schema}.session where counted)
		and c.records = (select count(*) from ${schema}.session where kind is not null)
		and c.sessions = (select coalesce(sum(o.sessions), 0) from ${schema}.owner o);
	if found then return; end if;
	perform 1 from ${schema}.counter for update;
	update ${schema}.counter set sessions = (select count(*) from ${schema}.session where counted),
		records = (select count(*) from ${schema}.session where kind is not null);
	delete from ${schema}.owner;
	insert into ${schema}.owner (owner, verified, sessions)
	select owner, bool_and(verified), count(*) from ${schema}.session where counted group by owner;
end $$;

-- Whether there are already p_most sessions, or records that are none; 0 for no limit.
create function ${schema}.is_full(p_kind text, p_most bigint) returns boolean language sql volatile
as $$ select p_most > 0 and case when p_kind is null then sessions else records end >= p_most from ${schema}.counter $$;

-- Creates a session, or a record of a kind. Returns 'created', 'taken', 'principal-limit' or 'limit'; p_most is 0 for
-- no limit. Returns 'again' where the store is full, and it has not looked yet at all whose time has come.
create function ${schema}.create_record(
	p_id text, p_principal_hash bytea, p_principal text, p_client text, p_record text, p_initialize_params text,
	p_server_capabilities text, p_protocol_version text, p_log_level text, p_status text, p_created_at float8,
	p_last_used_at float8, p_idle_ttl_ms float8, p_ends_at float8, p_keep_ended_ms float8, p_kind text,
	p_owner bytea, p_verified boolean, p_here float8, p_per_principal integer, p_most bigint
) returns text language plpgsql
as $$
declare
	v_old ${schema}.session;
	v_ahead float8;
	v_more boolean;
begin
	if p_per_principal is not null and p_principal_hash is not null then
		perform pg_advisory_xact_lock('${schema}.session'::regclass::oid::integer,
			('x' || encode(substring(p_principal_hash from 1 for 4), 'hex'))::bit(32)::integer);
	end if;
	select * into v_old from ${schema}.session where id = p_id for update;
	if found then
		if ${schema}.kept_until(v_old) > ${schema}.now_ms() then return 'taken'; end if;
		perform ${schema}.purge_sessions(array[p_id]);
	end if;
	if p_per_principal is not null and p_principal_hash is not null and p_per_principal <= (
		select count(*) from ${schema}.session s
		where s.principal_hash = p_principal_hash and s.kind is not distinct from p_kind
			and ${schema}.is_living(s, ${schema}.now_ms())
	) then return 'principal-limit'; end if;
	if ${schema}.is_full(p_kind, p_most) then
		select more into v_more from ${schema}.reap_sessions(100, 100);
		if ${schema}.is_full(p_kind, p_most) then return case when v_more then 'again' else 'limit' end; end if;
	end if;
	v_ahead := ${schema}.now_ms() - p_here;
	insert into ${schema}.session as s (
		id, principal_hash, principal, client, record, initialize_params, server_capabilities, protocol_version,
		log_level, status, created_at, last_used_at, idle_ttl_ms, ends_at, keep_ended_ms, used_at, over_at, reap_at,
		owner, verified, unused_since, kind, counted
	) values (
		p_id, p_principal_hash, p_principal, p_client, p_record, p_initialize_params, p_server_capabilities,
		p_protocol_version, p_log_level, p_status, p_created_at, p_last_used_at, p_idle_ttl_ms, p_ends_at,
		p_keep_ended_ms, p_last_used_at + v_ahead, p_ends_at + v_ahead,
		coalesce(least(p_last_used_at + v_ahead + p_idle_ttl_ms, p_ends_at + v_ahead), 'infinity'),
		p_owner, p_verified, p_last_used_at + v_ahead, p_kind, p_kind is null
	) on conflict (id) do nothing;
	if not found then return 'taken'; end if;
	if p_kind is not null then
		update ${schema}.counter set records = records + 1 where p_most = 0 or records < p_most;
		if found then return 'created'; end if;
	else
		update ${schema}.counter set sessions = sessions + 1 where p_most = 0 or sessions < p_most;
		if found then
			insert into ${schema}.owner as o (owner, verified, sessions) values (p_owner, p_verified, 1)
			on conflict (owner) do update set sessions = o.sessions + 1;
			return 'created';
		end if;
	end if;
	delete from ${schema}.session where id = p_id;
	return 'limit';
end $$;

-- Ends the session of a principal that was unused longest. Returns its id.
create function ${schema}.end_unused_of(p_principal_hash bytea, p_at float8, p_reason text, p_here float8) returns text
language plpgsql
as $$
declare
	v_id text;
begin
	select s.id into v_id from ${schema}.session s
	where s.principal_hash = p_principal_hash and s.kind is null and ${schema}.is_living(s, ${schema}.now_ms())
	order by s.used_at limit 1 for update skip locked;
	if v_id is not null then perform ${schema}.end_session(v_id, p_at, p_reason, p_here); end if;
	return v_id;
end $$;

-- What operators see.
create or replace view ${schema}.sessions as
select
	encode(substring(sha256(convert_to(s.id, 'UTF8')) from 1 for 6), 'hex') as session,
	s.principal,
	s.client,
	s.protocol_version as revision,
	case
		when s.gone_at is not null then 'ended'
		when not ${schema}.is_living(s, ${schema}.now_ms()) then 'expired'
		else coalesce(s.status, 'active')
	end as status,
	to_timestamp(s.created_at / 1000) as created,
	to_timestamp(s.last_used_at / 1000) as last_used,
	to_timestamp(nullif(${schema}.expires_at(s), 'infinity') / 1000) as expires,
	t.writer as stream_node,
	s.state_bytes
from ${schema}.session s
left join ${schema}.stream t on t.session = s.id and t.name = '' and t.token is not null
where ${schema}.kept_until(s) > ${schema}.now_ms() and s.kind is null;

-- Such a principal was stored as JSON, because of its line break.
update ${schema}.session s
set kind = 'task', counted = false, principal = t.principal, principal_hash = sha256(convert_to(t.principal, 'UTF8'))
from (
	select id, substring(substring(principal from 2)::json #>> '{}' from 6) as principal from ${schema}.session
	where starts_with(id, 'task ') and (principal is null or starts_with(principal, E'\\x01"task\\\\n'))
) t
where s.id = t.id;
select ${schema}.recount_sessions();
`;
