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

-- Counts sessions no more that lived, whose rows the caller has locked.
create function ${schema}.discount_sessions(p_ids text[]) returns void language plpgsql
as $$
begin
	-- Owners are locked in no order: only who has the counter does.
	perform 1 from ${schema}.counter for update;
	with ended as (
		update ${schema}.session set counted = false where id = any (p_ids) and counted returning owner
	), owned as (
		update ${schema}.owner o set sessions = o.sessions - e.sessions
		from (select owner, count(*) as sessions from ended group by owner) e where o.owner = e.owner
	)
	update ${schema}.counter set sessions = sessions - (select count(*) from ended);
	delete from ${schema}.owner where sessions <= 0;
end $$;

-- Removes sessions whose rows the caller has locked.
create function ${schema}.purge_sessions(p_ids text[]) returns void language plpgsql
as $$
begin
	delete from ${schema}.subscription where session = any (p_ids);
	delete from ${schema}.state where session = any (p_ids);
	perform ${schema}.discount_sessions(p_ids);
	delete from ${schema}.session where id = any (p_ids);
end $$;

-- Looks at up to p_looks sessions whose time has come: counts out those that have expired, and removes up to p_limit of
-- which nothing is to be kept any longer, and no more once it removed about 2,000 rows, because others wait for it.
-- Those that stay are looked at again when their time has come. Returns how many it removed, and whether it stopped
-- before it had looked at all.
create function ${schema}.reap_sessions(p_looks integer, p_limit integer, out freed integer, out more boolean)
language plpgsql
as $$
declare
	v_now float8 := ${schema}.now_ms();
	v_row record;
	v_looked integer := 0;
	v_rows bigint := 0;
	v_gone text[] := '{}';
	v_over text[] := '{}';
	v_later text[] := '{}';
begin
	for v_row in
		select s.id, s.state_bytes, ${schema}.kept_until(s) <= v_now as gone,
			s.counted and not ${schema}.is_living(s, v_now) as over
		from ${schema}.session s where s.reap_at <= v_now order by s.reap_at limit p_looks for update skip locked
	loop
		v_looked := v_looked + 1;
		if v_row.gone then
			v_gone := array_append(v_gone, v_row.id);
			-- PostgreSQL keeps a large value in rows of about 2,000 bytes.
			v_rows := v_rows + 1 + v_row.state_bytes / 2000
				+ (select count(*) from ${schema}.subscription u where u.session = v_row.id)
				+ (select count(*) from ${schema}.state v where v.session = v_row.id);
		else
			v_later := array_append(v_later, v_row.id);
			if v_row.over then v_over := array_append(v_over, v_row.id); end if;
		end if;
		exit when cardinality(v_gone) = p_limit or v_rows >= 2000;
	end loop;
	if cardinality(v_over) > 0 then perform ${schema}.discount_sessions(v_over); end if;
	update ${schema}.session s set reap_at = case when s.id = any (v_over) or s.gone_at is not null or not s.counted
		then ${schema}.kept_until(s) else ${schema}.expires_at(s) end
	where s.id = any (v_later);
	if cardinality(v_gone) > 0 then perform ${schema}.purge_sessions(v_gone); end if;
	freed := cardinality(v_gone);
	more := v_looked = p_looks or freed = p_limit or v_rows >= 2000;
end $$;

-- Puts the counters right, whatever was done to the table by hand.
create function ${schema}.recount_sessions() returns void language plpgsql
as $$
declare
	v_before bigint;
	v_sessions bigint;
begin
	select sessions into v_before from ${schema}.counter for update;
	select count(*) into v_sessions from ${schema}.session where counted;
	if v_sessions = v_before and v_sessions = (select coalesce(sum(sessions), 0) from ${schema}.owner) then
		return;
	end if;
	update ${schema}.counter set sessions = v_sessions;
	delete from ${schema}.owner;
	insert into ${schema}.owner (owner, verified, sessions)
	select owner, bool_and(verified), count(*) from ${schema}.session where counted group by owner;
end $$;

-- Creates a session. Returns 'created', 'taken', 'principal-limit' or 'limit'; p_most is 0 for no limit.
create function ${schema}.create_session(
	p_id text, p_principal_hash bytea, p_principal text, p_client text, p_record text, p_initialize_params text,
	p_server_capabilities text, p_protocol_version text, p_log_level text, p_status text, p_created_at float8,
	p_last_used_at float8, p_idle_ttl_ms float8, p_ends_at float8, p_keep_ended_ms float8,
	p_owner bytea, p_verified boolean, p_here float8, p_per_principal integer, p_most bigint
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
		perform ${schema}.reap_sessions(100, 100);
		if (select sessions from ${schema}.counter) >= p_most then return 'limit'; end if;
	end if;
	v_ahead := ${schema}.now_ms() - p_here;
	insert into ${schema}.session as s (
		id, principal_hash, principal, client, record, initialize_params, server_capabilities, protocol_version,
		log_level, status, created_at, last_used_at, idle_ttl_ms, ends_at, keep_ended_ms, used_at, over_at, reap_at,
		owner, verified, unused_since
	) values (
		p_id, p_principal_hash, p_principal, p_client, p_record, p_initialize_params, p_server_capabilities,
		p_protocol_version, p_log_level, p_status, p_created_at, p_last_used_at, p_idle_ttl_ms, p_ends_at,
		p_keep_ended_ms, p_last_used_at + v_ahead, p_ends_at + v_ahead,
		coalesce(least(p_last_used_at + v_ahead + p_idle_ttl_ms, p_ends_at + v_ahead), 'infinity'),
		p_owner, p_verified, p_last_used_at + v_ahead
	) on conflict (id) do nothing;
	if not found then return 'taken'; end if;
	update ${schema}.counter set sessions = sessions + 1 where p_most = 0 or sessions < p_most;
	if found then
		insert into ${schema}.owner as o (owner, verified, sessions) values (p_owner, p_verified, 1)
		on conflict (owner) do update set sessions = o.sessions + 1;
		return 'created';
	end if;
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
		perform ${schema}.discount_sessions(array[p_id]);
		update ${schema}.session
		set ended_at = least(p_at, p_here), end_reason = p_reason, gone_at = v_gone_at, reap_at = v_gone_at
		where id = p_id;
	end if;
	return true;
end $$;

-- The sessions of an owner, or of all (null), that give way first; some of them were used since.
create function ${schema}.oldest_sessions(p_owner bytea, p_limit integer) returns setof ${schema}.session
language plpgsql
as $$
begin
	if p_owner is null then
		return query select * from ${schema}.session s where s.counted order by s.verified, s.unused_since limit p_limit;
	else
		return query select * from ${schema}.session s where s.counted and s.owner = p_owner
		order by s.unused_since limit p_limit;
	end if;
end $$;

-- Ends a session to make room: of whoever has too many, or any. Returns its id. Where expired ones come first, it
-- counts out up to 200 of them, and returns that there is more to do: who has too many may be somebody else then.
create function ${schema}.end_unused(
	p_at float8, p_reason text, p_here float8, out ended text, out more boolean
) language plpgsql
as $$
declare
	v_living boolean;
	v_owner bytea;
	v_most bigint;
	v_stale text[];
	v_over text[];
	v_moved integer;
begin
	more := false;
	-- One at a time. Who has the counter waits for no session, so one that is in use just now is passed over.
	perform 1 from ${schema}.counter for update;
	select o.owner, o.sessions into v_owner, v_most from ${schema}.owner o
	order by o.sessions desc, o.verified, o.owner limit 1;
	if v_most = 1 or v_most * 100 <= (select sessions from ${schema}.counter) then v_owner := null; end if;
	-- What was used since it got its place gets a later one; so many at most that it is soon done.
	for v_round in 1 .. 5 loop
		select array_agg(o.id) filter (where o.used_at > o.unused_since) into v_stale
		from ${schema}.oldest_sessions(v_owner, 200) o;
		exit when v_stale is null;
		with free as (select s.id from ${schema}.session s where s.id = any (v_stale) for update skip locked)
		update ${schema}.session s set unused_since = s.used_at from free where s.id = free.id;
		get diagnostics v_moved = row_count;
		exit when v_moved = 0;
	end loop;
	if v_owner is null then
		select s.id, ${schema}.is_living(s, ${schema}.now_ms()) into ended, v_living from ${schema}.session s
		where s.counted order by s.verified, s.unused_since limit 1 for update skip locked;
	else
		select s.id, ${schema}.is_living(s, ${schema}.now_ms()) into ended, v_living from ${schema}.session s
		where s.counted and s.owner = v_owner order by s.unused_since limit 1 for update skip locked;
	end if;
	if ended is null then return; end if;
	if v_living then
		perform ${schema}.end_session(ended, p_at, p_reason, p_here);
		return;
	end if;
	select array_agg(f.id) into v_over from (
		select s.id from ${schema}.session s
		where s.id in (select o.id from ${schema}.oldest_sessions(v_owner, 200) o)
			and s.counted and not ${schema}.is_living(s, ${schema}.now_ms())
		for update skip locked
	) f;
	perform ${schema}.discount_sessions(array_prepend(ended, v_over));
	ended := null;
	more := true;
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
