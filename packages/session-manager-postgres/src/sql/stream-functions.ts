/**
 * Plans are kept, and one that was made while a table was empty may read all of it for each event later: a function
 * that joins finds its rows by their keys, whatever the statistics say.
 */
const byKey = ['hashjoin', 'mergejoin', 'seqscan', 'bitmapscan', 'material']
	.map((way) => `set enable_${way} = off`)
	.join(' ');

/**
 * Steps on streams that must be atomic. An offset is the server's time in microseconds, or one more than the last
 * offset of the session; it is given under the lock of the session's row, which is held until commit, so that the order
 * of offsets is the order of commits. That of notifications is, too.
 *
 * A notification to a node begins with a letter: `e` events, each as offset, length in UTF-16 and stream id in a line,
 * then the event; `c` a piece of one event in base64, as number, count, offset and stream id in a line, then the piece;
 * `t` a stream was taken, as token and stream id; `x` a stream is over.
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

-- Removes all streams of a session, whose row the caller has locked.
create function ${schema}.purge_streams(p_session text) returns void language plpgsql
as $$
begin
	delete from ${schema}.event where session = p_session;
	delete from ${schema}.stream where session = p_session and name <> '';
	delete from ${schema}.stream where session = p_session and name = '';
end $$;

-- Keeps the newest events of a session, whose row the caller has locked. A stream whose last event is dropped is
-- forgotten.
create function ${schema}.trim(p_session text, p_max_events integer, p_max_bytes bigint, p_cut bigint) returns void
language plpgsql
as $$
declare
	v_from bigint;
	v_events integer;
	v_bytes bigint;
begin
	select coalesce(min(k.off), 9223372036854775807), count(*), coalesce(sum(k.size), 0)
	into v_from, v_events, v_bytes
	from (
		select off, size, sum(size) over (order by off desc) as bytes, row_number() over (order by off desc) as number
		from (
			select off, octet_length(data) as size from ${schema}.event
			where session = p_session and off >= p_cut order by off desc limit p_max_events
		) newest
	) k
	where k.bytes <= p_max_bytes or k.number = 1;
	with gone as (
		delete from ${schema}.event where session = p_session and off < v_from returning name, off, ends
	), last as (
		select name, max(off) as off, bool_or(ends) as ends from gone group by name
	), forgotten as (
		delete from ${schema}.stream s using last
		where s.session = p_session and s.name = last.name and s.name <> '' and last.ends
	)
	update ${schema}.stream s set dropped = greatest(s.dropped, last.off)
	from last where s.session = p_session and s.name = last.name and (s.name = '' or not last.ends);
	update ${schema}.stream set events = v_events, bytes = v_bytes where session = p_session and name = '';
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

-- Appends events, and notifies the nodes that hold their streams, or, on p_channel, all for the broadcasts. Streams are
-- numbered from 1: first the session streams of p_sessions, which are sorted, then the streams that are called p_names,
-- each of the session with the number in p_owners. Of each stream p_first and p_last say which events of its session,
-- also numbered from 1, are the first and the last of it (0 for none), and p_ends which one ends it. An event is given
-- by its stream, its number, where it is in p_blob, its length in UTF-16, and whether it can be a payload. Returns the
-- offset before the first event of each session, and the numbers of the streams that had ended, which took nothing, and
-- of those called p_names that the node that asks does not hold: a holder that it still has there was superseded.
-- p_life is the lock of the node that asks.
create function ${schema}.append(
	p_sessions text, p_counts integer[], p_bytes bigint[],
	p_names text, p_owners integer[], p_first integer[], p_last integer[], p_ends integer[],
	p_streams integer[], p_numbers integer[], p_starts integer[], p_sizes integer[], p_lengths integer[],
	p_plain boolean[], p_blob bytea, p_channel text, p_life bigint,
	p_max_events integer, p_max_bytes bigint, p_max_age bigint
) returns text language plpgsql set plan_cache_mode = force_generic_plan ${byKey}
as $$
declare
	v_sessions text[] := string_to_array(p_sessions, E'\\n');
	v_names text[] := array_fill(''::text, array[array_length(p_counts, 1)]);
	v_now bigint := ${schema}.now_us();
	v_young bigint := v_now - p_max_age;
	v_owners integer[] := '{}';
	v_before bigint[] := '{}';
	v_node text[] := '{}';
	v_life bigint[] := '{}';
	v_behind boolean[] := '{}';
	v_full text[];
	v_done integer;
	v_epoch text;
	v_over boolean[];
	v_dead bigint[];
	v_session text;
	v_number integer;
begin
	-- The only session is the one with an empty id.
	if p_sessions = '' then v_sessions := array['']; end if;
	loop
		v_done := array_length(v_owners, 1);
		-- Rows are found by all of their key, and locked in the order of v_sessions.
		with updated as (
			update ${schema}.stream s set
				last = greatest(v_now - 1, s.last) + u.count, events = s.events + u.count, bytes = s.bytes + u.bytes,
				newest = case when u.newest > 0 then greatest(v_now - 1, s.last) + u.newest else s.newest end,
				dropped = case when u.newest > 0 and s.newest < v_young then s.newest else s.dropped end,
				fresh_from = case when u.newest > 0 and s.newest < v_young then greatest(v_now - 1, s.last) + u.oldest
					else s.fresh_from end
			from unnest(v_sessions, v_names, p_counts, p_bytes, p_first, p_last)
				with ordinality u(session, name, count, bytes, oldest, newest, ord)
			where s.session = u.session and s.name = u.name and (s.ends_at is null or s.ends_at > v_now)
				and (v_done is null or u.ord <> all (v_owners))
			returning u.ord::integer as ord, s.session, s.last - u.count as before, s.node, s.life, s.events, s.bytes,
				s.undelivered is null and u.newest > 0 as behind
		)
		select v_owners || array_agg(ord order by ord), v_before || array_agg(before order by ord),
			v_node || array_agg(node order by ord), v_life || array_agg(life order by ord),
			v_behind || array_agg(behind order by ord),
			v_full || array_agg(session) filter (
				where events > p_max_events + p_max_events / 4 or bytes > p_max_bytes + p_max_bytes / 4
			)
		into v_owners, v_before, v_node, v_life, v_behind, v_full
		from updated;
		exit when array_length(v_owners, 1) = array_length(p_counts, 1);
		foreach v_session in array array(
			select u.session from unnest(v_sessions) with ordinality u(session, ord)
			where u.ord <> all (v_owners) order by u.ord
		) loop
			perform ${schema}.lock_session(v_session, p_max_age);
		end loop;
	end loop;
	if v_done is not null then
		select array_agg(u.owner order by u.owner), array_agg(u.before order by u.owner),
			array_agg(u.node order by u.owner), array_agg(u.life order by u.owner), array_agg(u.behind order by u.owner)
		into v_owners, v_before, v_node, v_life, v_behind
		from unnest(v_owners, v_before, v_node, v_life, v_behind) u(owner, before, node, life, behind);
	end if;
	v_over := array_fill(false, array[array_length(p_counts, 1)]);

	if p_owners is not null then
		v_names := v_names || string_to_array(p_names, E'\\n');
		v_owners := v_owners || p_owners;
		select v_node || array_agg(s.node order by u.ord), v_life || array_agg(s.life order by u.ord),
			v_over || array_agg(s.over is not null order by u.ord)
		into v_node, v_life, v_over
		from unnest(v_names, v_owners) with ordinality u(name, owner, ord)
		left join ${schema}.stream s on s.session = v_sessions[u.owner] and s.name = u.name
		where u.name <> '';
	end if;
	if v_sessions[1] = ' ' then
		v_node[1] := p_channel;
	else
		select array_agg(d.life) into v_dead from (
			select distinct u.life from unnest(v_life) u(life) where u.life <> p_life
		) d where ${schema}.is_dead(d.life);
		if v_dead is not null then
			select array_agg(case when u.life = any (v_dead) then null else u.node end order by u.ord) into v_node
			from unnest(v_node, v_life) with ordinality u(node, life, ord);
		end if;
	end if;
	if array_position(v_node, null) is not null then
		v_epoch := ${schema}.epoch();
		update ${schema}.stream s set undelivered_epoch = v_epoch, undelivered = u.before
		from unnest(v_sessions, v_names, v_before, v_node, v_behind) u(session, name, before, node, behind)
		where u.node is null and u.behind and s.session = u.session and s.name = u.name;
	end if;

	if p_owners is not null then
		insert into ${schema}.stream as s (session, name, newest, dropped, fresh_from, over, left_at, last, reap_at,
			undelivered_epoch, undelivered)
		select v_sessions[u.owner], u.name, v_before[u.owner] + u.newest, v_before[u.owner],
			v_before[u.owner] + u.oldest, case when u.ends > 0 then v_before[u.owner] + u.ends end,
			v_now, v_before[u.owner] + u.newest, v_now + p_max_age, v_epoch, v_before[u.owner]
		from unnest(v_names, v_owners, p_first, p_last, p_ends, v_over) u(name, owner, oldest, newest, ends, over)
		where u.name <> '' and not u.over
		on conflict (session, name) do update set
			newest = excluded.newest, last = excluded.newest, over = excluded.over,
			dropped = case when s.newest < v_young then s.newest else s.dropped end,
			fresh_from = case when s.newest < v_young then excluded.fresh_from else s.fresh_from end,
			undelivered_epoch = case when s.undelivered is null and (s.token is null or s.life = any (v_dead)) then v_epoch
				else s.undelivered_epoch end,
			undelivered = case when s.undelivered is null and (s.token is null or s.life = any (v_dead))
				then excluded.undelivered else s.undelivered end;
	end if;

	insert into ${schema}.event (slot, session, off, name, ends, data)
	select ((v_before[v_owners[i.stream]] + i.number) / greatest(1, p_max_age / 2)) % 4, v_sessions[v_owners[i.stream]],
		v_before[v_owners[i.stream]] + i.number, v_names[i.stream], p_ends[i.stream] = i.number,
		substring(p_blob from i.start for i.size)
	from unnest(p_streams, p_numbers, p_starts, p_sizes) i(stream, number, start, size)
	where not v_over[i.stream];

	-- One event that fits into one payload, which is what a node sends that is not busy, needs no packing.
	if array_length(p_streams, 1) = 1 and p_plain[1] and p_sizes[1] < 3000 then
		v_number := p_streams[1];
		if v_node[v_number] is not null and not v_over[v_number] then
			perform pg_notify(v_node[v_number], 'e' || v_before[1] + 1 || ' ' || p_lengths[1] || ' '
				|| ${schema}.stream_id(v_sessions[1], v_names[v_number]) || E'\\n' || convert_from(p_blob, 'UTF8'));
		end if;
	else
		perform pg_notify(p.channel, p.payload) from (
			with heads as (
				select i.ord, v_node[i.stream] as channel, i.start, i.size, i.plain,
					v_before[v_owners[i.stream]] + i.number as off, i.len,
					${schema}.stream_id(v_sessions[v_owners[i.stream]], v_names[i.stream]) as id
				from unnest(p_streams, p_numbers, p_starts, p_sizes, p_lengths, p_plain)
					with ordinality i(stream, number, start, size, len, plain, ord)
				where v_node[i.stream] is not null and not v_over[i.stream]
			), weighed as (
				select h.*, octet_length(h.id) + h.size + 40 as total,
					not h.plain or octet_length(h.id) + h.size > 3000 as large
				from heads h
			), parted as (
				select w.*, sum(w.large::integer) over (partition by w.channel order by w.ord) as part from weighed w
			), filled as materialized (
				select g.*, sum(g.total) over (partition by g.channel, g.part, g.large order by g.ord) - g.total as filled
				from parted g
			)
			select min(f.ord) as ord, 0 as number, f.channel, 'e' || string_agg(f.off || ' ' || f.len || ' ' || f.id || E'\\n'
				|| convert_from(substring(p_blob from f.start for f.size), 'UTF8'), '' order by f.ord) as payload
			from filled f
			where not f.large or (f.plain and f.total < 7900)
			group by f.channel, f.part, f.large, f.filled / 4900
			union all
			select f.ord, n.number, f.channel, 'c' || n.number || ' ' || ((f.size + 4199) / 4200) || ' ' || f.off || ' ' || f.id
				|| E'\\n' || translate(encode(substring(p_blob from f.start + n.number * 4200
					for least(4200, f.size - n.number * 4200)), 'base64'), E'\\n', '')
			from filled f cross join lateral generate_series(0, (f.size + 4199) / 4200 - 1) n(number)
			where f.large and not (f.plain and f.total < 7900)
			order by ord, number
		) p;
	end if;

	foreach v_session in array coalesce(v_full, '{}') loop
		perform ${schema}.trim(v_session, p_max_events, p_max_bytes, v_young);
	end loop;
	return array_to_string(v_before, ',') || ';' || array_to_string(array(
		select u.number from unnest(v_over, v_life) with ordinality u(over, life, number)
		where u.over or u.number > array_length(v_sessions, 1) and u.life is distinct from p_life
	), ',');
end $$;

-- Reads the broadcasts after a position, or where they are now (null). The first row has epoch, start and gap, the
-- others an event.
create function ${schema}.read_broadcasts(
	p_epoch text, p_offset bigint, p_max_events integer, p_max_bytes bigint, p_max_age bigint
) returns table (kind text, epoch text, off bigint, gap boolean, data bytea) language plpgsql
as $$
#variable_conflict use_column
declare
	v_row ${schema}.stream;
	v_epoch text := ${schema}.epoch();
	v_cut bigint := ${schema}.now_us() - p_max_age;
	v_start bigint;
begin
	select * into v_row from ${schema}.stream s where s.session = ' ' and s.name = '';
	if not found then v_row := ${schema}.lock_session(' ', p_max_age); end if;
	if v_row.events > p_max_events or v_row.bytes > p_max_bytes then
		perform ${schema}.lock_session(' ', p_max_age);
		perform ${schema}.trim(' ', p_max_events, p_max_bytes, v_cut);
		select * into v_row from ${schema}.stream s where s.session = ' ' and s.name = '';
	end if;
	v_start := least(coalesce(p_offset, v_row.last), v_row.last);
	return query select 'broadcasts'::text, v_epoch, v_start, p_offset is not null and
		(p_epoch is distinct from v_epoch or ${schema}.has_gap(v_row, p_offset, v_cut)), null::bytea;
	if p_offset is null then return; end if;
	return query select 'broadcast'::text, null::text, e.off, false, e.data from ${schema}.event e
		where e.session = ' ' and e.off > v_start and e.off >= v_cut order by e.off;
end $$;

-- Takes a stream over for p_token, announces it, and returns what the new holder must deliver. The first row has the
-- outcome with epoch, start and gap; the events follow; then the broadcasts as read_broadcasts returns them. Without
-- p_offset it begins with what was never delivered. With p_keep it is taken only if p_token still holds it; if a crash
-- may have taken back that p_token took it, also if nobody does.
create function ${schema}.attach(
	p_session text, p_name text, p_token text, p_keep boolean, p_epoch text, p_offset bigint,
	p_broadcasts_epoch text, p_broadcasts bigint, p_since_epoch text, p_since bigint,
	p_node text, p_life bigint, p_writer text, p_max_events integer, p_max_bytes bigint, p_max_age bigint
) returns table (kind text, epoch text, off bigint, gap boolean, data bytea) language plpgsql
as $$
#variable_conflict use_column
declare
	v_session ${schema}.stream;
	v_row ${schema}.stream;
	v_known boolean;
	v_epoch text := ${schema}.epoch();
	v_crashed boolean := p_epoch is distinct from v_epoch;
	v_now bigint := ${schema}.now_us();
	v_cut bigint := v_now - p_max_age;
	v_start bigint;
	v_gap boolean;
begin
	if p_keep and not v_crashed and not exists (
		select from ${schema}.stream s where s.session = p_session and s.name = p_name and s.token is not null
	) then return query select 'ended'::text, null::text, null::bigint, null::boolean, null::bytea; return; end if;
	v_session := ${schema}.lock_session(p_session, p_max_age);
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
	update ${schema}.stream s set token = p_token, node = p_node, life = p_life, writer = p_writer,
		since = v_session.last, undelivered = null, undelivered_epoch = null, left_at = v_now
	where s.session = p_session and s.name = p_name;
	if v_row.token is distinct from p_token then
		perform pg_notify(n.node, 't' || p_token || ' ' || ${schema}.stream_id(p_session, p_name))
		from (select distinct unnest(array[v_row.node, p_node]) as node) n where n.node is not null;
	end if;
	return query select 'taken'::text, v_epoch, v_start, v_gap, null::bytea;
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
create function ${schema}.forget(p_session text, p_name text) returns void language plpgsql
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

-- Truncates the partitions of which all events are too old to be delivered: each comes to that a span of time before it
-- is written to again. Nodes may keep events for different times, so their dates are looked at, too. Returns how many.
create function ${schema}.truncate_ring(p_max_age bigint) returns integer language plpgsql
as $$
declare
	v_now bigint := ${schema}.now_us();
	v_cut bigint := v_now - p_max_age;
	v_span bigint := greatest(1, p_max_age / 2);
	v_index bigint := v_now / v_span;
	v_table text;
	v_young boolean;
	v_truncated integer := 0;
begin
	perform set_config('lock_timeout', '100ms', true);
	for v_slot in 0 .. 3 loop
		v_table := '${schema}.event_' || v_slot;
		continue when (v_index - (v_index - v_slot) % 4 + 1) * v_span > v_cut or pg_relation_size(v_table) = 0;
		execute 'select exists (select from ' || v_table || ' where off >= $1)' into v_young using v_cut;
		continue when v_young;
		begin
			execute 'lock table ' || v_table || ' in access exclusive mode';
			execute 'select exists (select from ' || v_table || ' where off >= $1)' into v_young using v_cut;
			continue when v_young;
			update ${schema}.ring set dropped = greatest(dropped, v_cut) where slot = v_slot;
			execute 'truncate ' || v_table;
			v_truncated := v_truncated + 1;
		exception when lock_not_available then
			-- Somebody reads it for long; another time, then.
		end;
	end loop;
	return v_truncated;
end $$;

-- Removes up to p_limit streams and sessions of streams that nobody needs any more. Returns how many it looked at.
create function ${schema}.sweep_streams(p_limit integer, p_max_age bigint) returns integer language plpgsql
as $$
declare
	v_row ${schema}.stream;
	v_now bigint := ${schema}.now_us();
	v_looked integer := 0;
	v_held boolean;
begin
	for v_row in
		select * from ${schema}.stream s where s.reap_at <= v_now order by s.reap_at limit p_limit for update skip locked
	loop
		v_looked := v_looked + 1;
		v_held := v_row.token is not null and v_row.over is null and not ${schema}.is_dead(v_row.life);
		if v_row.name <> '' then
			if not v_held and greatest(v_row.newest, v_row.left_at) < v_now - p_max_age then
				delete from ${schema}.stream where session = v_row.session and name = v_row.name;
			else
				update ${schema}.stream set reap_at = v_now + p_max_age
				where session = v_row.session and name = v_row.name;
			end if;
		elsif v_row.ends_at <= v_now or (not v_held and greatest(v_row.last, v_row.left_at) < v_now - 6 * p_max_age
			and not exists (select from ${schema}.stream where session = v_row.session and name <> '')) then
			perform ${schema}.purge_streams(v_row.session);
		else
			update ${schema}.stream set reap_at = least(v_now + p_max_age, coalesce(v_row.ends_at, v_now + p_max_age))
			where session = v_row.session and name = '';
		end if;
	end loop;
	return v_looked;
end $$;
`;
