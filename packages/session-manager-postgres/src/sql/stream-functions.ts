import { byKey } from './append-functions.js';

/**
 * Steps on streams that must be atomic. An offset is the server's time in microseconds, or one more than the last
 * offset of the session; it is given under the lock of the session's row, which is held until commit, so that the order
 * of offsets is the order of commits. That of notifications is, too.
 *
 * A notification to a node begins with a letter: `e` events, each as offset, length in UTF-16 and stream id in a line,
 * then the event; `c` a piece of one event in base64, as number, count, offset and stream id in a line, then the piece;
 * `t` a stream was taken, as order and stream id; `x` a stream is over.
 */
export const streamFunctions = (schema: string): string => `
create function ${schema}.now_us() returns bigint language sql volatile
as $$ select (extract(epoch from clock_timestamp()) * 1000000)::bigint $$;

-- What changes when commits may have been lost.
create function ${schema}.epoch() returns text language plpgsql
as $$
declare
	v_epoch text;
begin
	select l.epoch || to_hex(l.tableoid::bigint) into v_epoch from ${schema}.life l;
	if found then return v_epoch; end if;
	insert into ${schema}.life (epoch) values (substring(replace(gen_random_uuid()::text, '-', '') from 1 for 16))
	on conflict do nothing;
	select l.epoch || to_hex(l.tableoid::bigint) into v_epoch from ${schema}.life l;
	return v_epoch;
end $$;

-- Whether a node has ended: nobody holds its lock any more.
create function ${schema}.is_dead(p_life bigint) returns boolean language sql volatile
as $$ select pg_try_advisory_xact_lock_shared(p_life) $$;

create function ${schema}.stream_id(p_session text, p_name text) returns text language sql immutable
as $$ select case when p_name = '' then p_session else p_session || ' ' || p_name end $$;

-- Locks a session's row, and makes it where there is none, or where what it says is over.
create function ${schema}.lock_session(p_session text, p_max_age bigint) returns ${schema}.stream language plpgsql
as $$
declare
	v_row ${schema}.stream;
	v_now bigint;
begin
	loop
		select * into v_row from ${schema}.stream where session = p_session and name = '' for update;
		if found then
			if v_row.ends_at is null or v_row.ends_at > ${schema}.now_us() then return v_row; end if;
			perform ${schema}.purge_streams(p_session);
		end if;
		v_now := ${schema}.now_us();
		insert into ${schema}.stream (session, name, newest, dropped, fresh_from, left_at, last, reap_at)
		values (p_session, '', v_now, v_now, v_now, v_now, v_now, v_now + p_max_age)
		on conflict (session, name) do nothing;
	end loop;
end $$;

-- Removes all streams of a session, whose row the caller has locked. Returns how many events they had.
create function ${schema}.purge_streams(p_session text) returns integer language plpgsql ${byKey}
as $$
declare
	v_events integer;
begin
	delete from ${schema}.event where session = p_session;
	get diagnostics v_events = row_count;
	delete from ${schema}.stream where session = p_session and name <> '';
	delete from ${schema}.stream where session = p_session and name = '';
	return v_events;
end $$;

-- Whether events of a stream after p_start may be lost. Those before p_cut are too old to be delivered.
create function ${schema}.has_gap(s ${schema}.stream, p_start bigint, p_cut bigint) returns boolean language plpgsql
as $$
declare
	v_truncated bigint;
begin
	if p_start < s.dropped or p_start > s.last then return true; end if;
	if s.newest < p_cut then return p_start < s.newest; end if;
	if p_start >= p_cut then return false; end if;
	if exists (
		select from ${schema}.event e
		where e.session = s.session and e.name = s.name and e.off > p_start and e.off < p_cut
	) then return true; end if;
	select max(r.dropped) into v_truncated from ${schema}.ring r;
	return p_start < v_truncated and s.fresh_from <= v_truncated;
end $$;

-- Reads the broadcasts after a position, or where they are now (null). The first row has epoch, start and gap, the
-- others an event.
create function ${schema}.read_broadcasts(
	p_epoch text, p_offset bigint, p_max_events integer, p_max_bytes bigint, p_max_age bigint
) returns table (kind text, epoch text, off bigint, gap boolean, data bytea) language plpgsql ${byKey}
as $$
#variable_conflict use_column
declare
	v_row ${schema}.stream;
	v_epoch text := ${schema}.epoch();
	v_cut bigint;
	v_start bigint;
begin
	select * into v_row from ${schema}.stream s where s.session = ' ' and s.name = '';
	if not found then v_row := ${schema}.lock_session(' ', p_max_age); end if;
	if v_row.events > p_max_events or v_row.bytes > p_max_bytes then
		perform ${schema}.lock_session(' ', p_max_age);
		perform ${schema}.trim(' ', p_max_events, p_max_bytes, ${schema}.now_us() - p_max_age);
		select * into v_row from ${schema}.stream s where s.session = ' ' and s.name = '';
	end if;
	v_cut := ${schema}.now_us() - p_max_age;
	v_start := least(coalesce(p_offset, v_row.last), v_row.last);
	return query select 'broadcasts'::text, v_epoch, v_start, p_offset is not null and
		(p_epoch is distinct from v_epoch or ${schema}.has_gap(v_row, p_offset, v_cut)), null::bytea;
	if p_offset is null then return; end if;
	return query select 'broadcast'::text, null::text, e.off, false, e.data from ${schema}.event e
		where e.session = ' ' and e.off > v_start and e.off >= v_cut order by e.off;
end $$;

-- Takes a stream over for p_token, tells the holder before, and returns what the new one must deliver. The first row
-- has the outcome with epoch, start, gap and, as data, the order; the events follow; then the broadcasts as
-- read_broadcasts returns them. Without p_offset it begins with what was never delivered. With p_keep it is taken only
-- if p_token still holds it; if a crash may have taken back that p_token took it, also if nobody does.
create function ${schema}.attach(
	p_session text, p_name text, p_token text, p_keep boolean, p_epoch text, p_offset bigint,
	p_broadcasts_epoch text, p_broadcasts bigint, p_since_epoch text, p_since bigint,
	p_node text, p_life bigint, p_writer text, p_max_events integer, p_max_bytes bigint, p_max_age bigint
) returns table (kind text, epoch text, off bigint, gap boolean, data bytea) language plpgsql ${byKey}
as $$
#variable_conflict use_column
declare
	v_session ${schema}.stream;
	v_row ${schema}.stream;
	v_known boolean;
	v_epoch text := ${schema}.epoch();
	v_crashed boolean := p_epoch is distinct from v_epoch;
	v_now bigint;
	v_cut bigint;
	v_start bigint;
	v_gap boolean;
	v_order bigint;
begin
	if p_keep and not v_crashed and not exists (
		select from ${schema}.stream s where s.session = p_session and s.name = p_name and s.token is not null
	) then return query select 'ended'::text, null::text, null::bigint, null::boolean, null::bytea; return; end if;
	v_session := ${schema}.lock_session(p_session, p_max_age);
	v_now := ${schema}.now_us();
	v_cut := v_now - p_max_age;
	if v_session.events > p_max_events or v_session.bytes > p_max_bytes then
		perform ${schema}.trim(p_session, p_max_events, p_max_bytes, v_cut);
	end if;
	select * into v_row from ${schema}.stream s where s.session = p_session and s.name = p_name;
	v_known := found;
	if p_keep and v_row.token is distinct from p_token and not (v_crashed and v_row.token is null) then
		return query select case when v_row.token is null then 'ended' else 'superseded' end,
			null::text, null::bigint, null::boolean, null::bytea;
		return;
	end if;
	-- Its last event is too old to be delivered.
	if v_row.over < v_cut and p_offset is null or v_row.over < v_cut and v_row.over > p_offset then
		delete from ${schema}.stream s where s.session = p_session and s.name = p_name;
		v_known := false;
	end if;
	if not v_known then
		-- Anybody can make up the name of a stream.
		if p_offset is not null and not p_keep then
			return query select 'unknown'::text, null::text, null::bigint, null::boolean, null::bytea;
			return;
		end if;
		insert into ${schema}.stream (session, name, newest, dropped, fresh_from, left_at, last, reap_at)
		values (p_session, p_name, v_session.last, v_session.last, v_session.last, v_now, v_session.last, v_now + p_max_age)
		returning * into v_row;
	end if;
	v_start := coalesce(p_offset, v_row.undelivered, v_session.last);
	if v_row.over <= v_start then
		return query select 'ended'::text, null::text, null::bigint, null::boolean, null::bytea;
		return;
	end if;
	v_row.last := v_session.last;
	v_gap := coalesce(case when p_offset is not null then p_epoch else v_row.undelivered_epoch end, v_epoch) <> v_epoch
		or ${schema}.has_gap(v_row, v_start, v_cut)
		-- Another node holds it, alive, hung or dead. What it was told since it came is not known to have reached the
		-- client.
		or p_offset is null and v_row.token is not null and v_row.writer <> p_writer
			and coalesce(v_row.undelivered, v_row.newest) > v_row.since;
	-- A server that lost the end of the log may give new events offsets below the last one that the client saw.
	v_start := least(v_start, v_session.last);
	v_order := greatest(v_now, v_row.taken + 1);
	update ${schema}.stream s set token = p_token, node = p_node, life = p_life, writer = p_writer,
		since = v_session.last, undelivered = null, undelivered_epoch = null, left_at = v_now, taken = v_order
	where s.session = p_session and s.name = p_name;
	if v_row.token <> p_token and (v_row.life = p_life or not ${schema}.is_dead(v_row.life)) then
		perform pg_notify(v_row.node, 't' || v_order || ' ' || ${schema}.stream_id(p_session, p_name));
	end if;
	return query select 'taken'::text, v_epoch, v_start, v_gap, convert_to(v_order::text, 'UTF8');
	return query select 'event'::text, null::text, e.off, false, e.data from ${schema}.event e
		where e.session = p_session and e.name = p_name and e.off > v_start and e.off >= v_cut order by e.off;
	if p_name <> '' or p_keep then return; end if;
	update ${schema}.stream s set seen = true, broadcasts_epoch = null, broadcasts = null
	where s.session = p_session and s.name = '';
	if p_broadcasts is null and v_session.broadcasts is not null then
		p_broadcasts_epoch := v_session.broadcasts_epoch;
		p_broadcasts := v_session.broadcasts;
	elsif p_broadcasts is null and not v_session.seen then
		p_broadcasts_epoch := p_since_epoch;
		p_broadcasts := p_since;
	end if;
	return query select * from ${schema}.read_broadcasts(p_broadcasts_epoch, p_broadcasts, p_max_events, p_max_bytes,
		p_max_age);
end $$;

-- Removes a stream, or all of a session, and tells their holders.
create function ${schema}.forget(p_session text, p_name text) returns void language plpgsql ${byKey}
as $$
declare
	v_events integer;
	v_bytes bigint;
begin
	perform 1 from ${schema}.stream where session = p_session and name = '' for update;
	if not found then return; end if;
	perform pg_notify(s.node, 'x' || ${schema}.stream_id(s.session, s.name)) from ${schema}.stream s
	where s.session = p_session and (p_name = '' or s.name = p_name) and s.token is not null;
	if p_name = '' then
		perform ${schema}.purge_streams(p_session);
		return;
	end if;
	delete from ${schema}.stream where session = p_session and name = p_name;
	with gone as (
		delete from ${schema}.event where session = p_session and name = p_name returning octet_length(data) as size
	)
	select count(*), coalesce(sum(size), 0) into v_events, v_bytes from gone;
	update ${schema}.stream set events = greatest(0, events - v_events), bytes = greatest(0, bytes - v_bytes)
	where session = p_session and name = '' and v_events > 0;
end $$;

-- Notes when a session ends.
create function ${schema}.expire_in(p_session text, p_us bigint, p_max_age bigint) returns void language plpgsql
as $$
declare
	v_at bigint := ${schema}.now_us() + p_us;
begin
	perform ${schema}.lock_session(p_session, p_max_age);
	update ${schema}.stream set ends_at = v_at where session = p_session and name = '' and ends_at is distinct from v_at;
	update ${schema}.stream set reap_at = v_at where session = p_session and name = '' and reap_at > v_at;
end $$;

-- Truncates the partitions of which all events are too old to be delivered, and were so when whoever reads now began:
-- each comes to that almost a span of time before it is written to again, if all nodes keep events for as long. Returns
-- how many. It waits for each so long, and tries again another time.
create function ${schema}.truncate_ring(p_max_age bigint, p_wait text default '100ms') returns integer language plpgsql
as $$
declare
	v_cut bigint := ${schema}.now_us() - p_max_age - least(p_max_age / 8, 10000000);
	v_slot integer;
	v_truncated integer := 0;
begin
	perform set_config('lock_timeout', p_wait, true);
	for v_slot in select r.slot from ${schema}.ring r where r.until <= v_cut and r.until > 0 loop
		begin
			-- Whoever inserts has this lock until its commit, and says how new its events are after it inserted.
			execute 'lock table ${schema}.event_' || v_slot || ' in access exclusive mode';
			update ${schema}.ring set dropped = greatest(dropped, until), until = 0
			where slot = v_slot and until <= v_cut and until > 0;
			continue when not found;
			execute 'truncate ${schema}.event_' || v_slot;
			v_truncated := v_truncated + 1;
		exception when lock_not_available then
			-- Somebody reads it for long.
		end;
	end loop;
	return v_truncated;
end $$;

${sweepFunction(schema, 'create', '')}`;

/** `unless` begins the condition under which a session of streams is removed that nobody uses. */
function sweepFunction(schema: string, create: string, unless: string): string {
	return `
-- Removes streams and sessions of streams that nobody needs any more. It looks at up to p_limit, and not at more once
-- it removed 2,000 events, because others wait for it. What others have locked it passes over. Returns whether there
-- may be more.
${create} function ${schema}.sweep_streams(p_limit integer, p_max_age bigint) returns boolean language plpgsql
as $$
declare
	v_key record;
	v_row ${schema}.stream;
	v_now bigint := ${schema}.now_us();
	v_found integer := 0;
	v_looked integer := 0;
	v_removed integer := 0;
	v_held boolean;
begin
	for v_key in
		select s.session, s.name from ${schema}.stream s where s.reap_at <= v_now order by s.reap_at limit p_limit
	loop
		v_found := v_found + 1;
		-- As everywhere, the session's row is locked before the others.
		perform 1 from ${schema}.stream s where s.session = v_key.session and s.name = '' for update skip locked;
		continue when not found;
		select * into v_row from ${schema}.stream s
		where s.session = v_key.session and s.name = v_key.name and s.reap_at <= v_now;
		continue when not found;
		v_looked := v_looked + 1;
		v_held := v_row.token is not null and v_row.over is null and not ${schema}.is_dead(v_row.life);
		if v_row.name <> '' then
			if not v_held and greatest(v_row.newest, v_row.left_at) < v_now - p_max_age then
				delete from ${schema}.stream where session = v_row.session and name = v_row.name;
			else
				update ${schema}.stream set reap_at = v_now + p_max_age
				where session = v_row.session and name = v_row.name;
			end if;
		elsif v_row.ends_at <= v_now or (${unless}not v_held and greatest(v_row.last, v_row.left_at) < v_now - 6 * p_max_age
			and not exists (select from ${schema}.stream where session = v_row.session and name <> '')) then
			v_removed := v_removed + ${schema}.purge_streams(v_row.session);
			exit when v_removed >= 2000;
		else
			update ${schema}.stream set reap_at = least(v_now + p_max_age, coalesce(v_row.ends_at, v_now + p_max_age))
			where session = v_row.session and name = '';
		end if;
	end loop;
	return v_looked > 0 and (v_found = p_limit or v_removed >= 2000);
end $$;
`;
}

/** The broadcasts stay, or whoever takes a stream next would be told that some may be lost. */
export const keepBroadcasts = (schema: string): string =>
	sweepFunction(schema, 'create or replace', "v_row.session <> ' ' and ");
