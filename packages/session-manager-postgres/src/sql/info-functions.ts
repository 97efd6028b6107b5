/**
 * Steps on sessions that must be atomic and take several statements. Locks are taken in the order principal, session,
 * counter; whoever has the counter waits for no session.
 */
export const infoFunctions = (schema: string): string => `
create function ${schema}.now_ms() returns float8 language sql volatile
as $$ select (extract(epoch from clock_timestamp()) * 1000)::float8 $$;

-- When a session expires, and until when anything is kept of it.
create function ${schema}.expires_at(s ${schema}.session) returns float8 language sql immutable
as $$ select coalesce(least(s.used_at + s.idle_ttl_ms, s.over_at), 'infinity') $$;
create function ${schema}.kept_until(s ${schema}.session) returns float8 language sql immutable
as $$ select coalesce(s.gone_at,
	coalesce(least(s.used_at + s.idle_ttl_ms, s.over_at), 'infinity') + coalesce(s.keep_ended_ms, 0)) $$;
create function ${schema}.is_living(s ${schema}.session, now_ms float8) returns boolean language sql immutable
as $$ select s.gone_at is null and coalesce(least(s.used_at + s.idle_ttl_ms, s.over_at), 'infinity') > now_ms $$;

-- Removes sessions whose rows the caller has locked.
create function ${schema}.purge_sessions(p_ids text[]) returns void language plpgsql
as $$
begin
	delete from ${schema}.subscription where session = any (p_ids);
	delete from ${schema}.state where session = any (p_ids);
	delete from ${schema}.session where id = any (p_ids);
	update ${schema}.counter set sessions = sessions - coalesce(array_length(p_ids, 1), 0);
end $$;

-- Removes up to p_limit sessions of which nothing is to be kept any longer. Returns how many; others that it looked at
-- are looked at again when their time has come.
create function ${schema}.reap_sessions(p_limit integer) returns integer language plpgsql
as $$
declare
	v_gone text[];
	v_later text[];
	v_freed integer := 0;
begin
	loop
		select array_agg(d.id) filter (where d.gone), array_agg(d.id) filter (where not d.gone)
		into v_gone, v_later
		from (
			select s.id, ${schema}.kept_until(s) <= ${schema}.now_ms() as gone
			from ${schema}.session s where s.reap_at <= ${schema}.now_ms()
			order by s.reap_at limit p_limit - v_freed for update skip locked
		) d;
		update ${schema}.session s set reap_at = ${schema}.kept_until(s) where s.id = any (v_later);
		if v_gone is not null then
			perform ${schema}.purge_sessions(v_gone);
			v_freed := v_freed + array_length(v_gone, 1);
		end if;
		exit when v_freed >= p_limit or v_later is null;
	end loop;
	return v_freed;
end $$;

-- Puts the counter right, whatever was done to the table by hand.
create function ${schema}.recount_sessions() returns void language plpgsql
as $$
begin
	perform 1 from ${schema}.counter for update;
	update ${schema}.counter set sessions = (select count(*) from ${schema}.session);
end $$;

-- Creates a session. Returns 'created', 'taken', 'principal-limit' or 'limit'; p_most is 0 for no limit.
create function ${schema}.create_session(
	p_id text, p_principal_hash bytea, p_principal text, p_client text, p_record text, p_initialize_params text,
	p_server_capabilities text, p_protocol_version text, p_log_level text, p_status text, p_created_at float8,
	p_last_used_at float8, p_idle_ttl_ms float8, p_ends_at float8, p_keep_ended_ms float8,
	p_here float8, p_per_principal integer, p_most bigint
) returns text language plpgsql
as $$
declare
	v_old ${schema}.session;
	v_ahead float8;
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
		where s.principal_hash = p_principal_hash and ${schema}.is_living(s, ${schema}.now_ms())
	) then return 'principal-limit'; end if;
	if p_most > 0 and (select sessions from ${schema}.counter) >= p_most then
		perform ${schema}.reap_sessions(100);
		if (select sessions from ${schema}.counter) >= p_most then return 'limit'; end if;
	end if;
	v_ahead := ${schema}.now_ms() - p_here;
	insert into ${schema}.session as s (
		id, principal_hash, principal, client, record, initialize_params, server_capabilities, protocol_version,
		log_level, status, created_at, last_used_at, idle_ttl_ms, ends_at, keep_ended_ms, used_at, over_at, reap_at
	) values (
		p_id, p_principal_hash, p_principal, p_client, p_record, p_initialize_params, p_server_capabilities,
		p_protocol_version, p_log_level, p_status, p_created_at, p_last_used_at, p_idle_ttl_ms, p_ends_at,
		p_keep_ended_ms, p_last_used_at + v_ahead, p_ends_at + v_ahead,
		coalesce(least(p_last_used_at + v_ahead + p_idle_ttl_ms, p_ends_at + v_ahead), 'infinity')
			+ coalesce(p_keep_ended_ms, 0)
	) on conflict (id) do nothing;
	if not found then return 'taken'; end if;
	update ${schema}.counter set sessions = sessions + 1 where p_most = 0 or sessions < p_most;
	if found then return 'created'; end if;
	delete from ${schema}.session where id = p_id;
	return 'limit';
end $$;

-- Removes a session, also one that has ended and is still kept. Returns whether there was one.
create function ${schema}.delete_session(p_id text) returns boolean language plpgsql
as $$
declare
	v_old ${schema}.session;
begin
	select * into v_old from ${schema}.session where id = p_id for update;
	if not found then return false; end if;
	perform ${schema}.purge_sessions(array[p_id]);
	return ${schema}.kept_until(v_old) > ${schema}.now_ms();
end $$;

-- Ends a session at p_at by the clock of a node that shows p_here. Returns whether it lived.
create function ${schema}.end_session(p_id text, p_at float8, p_reason text, p_here float8) returns boolean
language plpgsql
as $$
declare
	v_old ${schema}.session;
	v_gone_at float8;
begin
	select * into v_old from ${schema}.session where id = p_id for update;
	if not found or not ${schema}.is_living(v_old, ${schema}.now_ms()) then return false; end if;
	v_gone_at := ${schema}.now_ms() + least(p_at, p_here) - p_here + coalesce(v_old.keep_ended_ms, 0);
	if v_old.keep_ended_ms is null or v_gone_at <= ${schema}.now_ms() then
		perform ${schema}.purge_sessions(array[p_id]);
	else
		delete from ${schema}.subscription where session = p_id;
		update ${schema}.session
		set ended_at = least(p_at, p_here), end_reason = p_reason, gone_at = v_gone_at, reap_at = v_gone_at
		where id = p_id;
	end if;
	return true;
end $$;

-- Subscribes a session to a resource. Returns whether it lives.
create function ${schema}.subscribe(p_id text, p_uri_hash bytea, p_uri text) returns boolean language plpgsql
as $$
begin
	perform 1 from ${schema}.session s
	where s.id = p_id and ${schema}.is_living(s, ${schema}.now_ms()) for no key update;
	if not found then return false; end if;
	insert into ${schema}.subscription (session, uri_hash, uri) values (p_id, p_uri_hash, p_uri) on conflict do nothing;
	return true;
end $$;

-- Writes one value of state, or removes it (null), if its version is still the expected one ('' for none, '*' for any).
-- Returns 'written', 'refused', or 'limit' where the state would have more than p_most bytes.
create function ${schema}.write_state(
	p_id text, p_key_hash bytea, p_key text, p_expected text, p_value text, p_bytes integer, p_most bigint
) returns text language plpgsql
as $$
declare
	v_session ${schema}.session;
	v_version bigint;
	v_old_bytes integer;
begin
	select * into v_session from ${schema}.session where id = p_id for no key update;
	if not found or not ${schema}.is_living(v_session, ${schema}.now_ms()) then return 'refused'; end if;
	select version, bytes into v_version, v_old_bytes
	from ${schema}.state where session = p_id and key_hash = p_key_hash;
	if p_expected <> '*' and p_expected <> coalesce(v_version::text, '') then return 'refused'; end if;
	if p_value is null then
		if v_version is null then return 'written'; end if;
		delete from ${schema}.state where session = p_id and key_hash = p_key_hash;
		update ${schema}.session set state_bytes = state_bytes - v_old_bytes where id = p_id;
		return 'written';
	end if;
	if v_session.state_bytes - coalesce(v_old_bytes, 0) + p_bytes > p_most then return 'limit'; end if;
	update ${schema}.session
	set state_bytes = state_bytes - coalesce(v_old_bytes, 0) + p_bytes, versions = versions + 1 where id = p_id;
	insert into ${schema}.state (session, key_hash, key, version, bytes, value)
	values (p_id, p_key_hash, p_key, v_session.versions + 1, p_bytes, p_value)
	on conflict (session, key_hash) do update
	set version = excluded.version, bytes = excluded.bytes, value = excluded.value;
	return 'written';
end $$;

-- What operators see.
create view ${schema}.sessions as
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
where ${schema}.kept_until(s) > ${schema}.now_ms();
`;
