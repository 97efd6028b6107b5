/**
 * Plans are kept, and one that was made while a table was empty may read all of it for each event later: these
 * functions find rows by their keys, whatever the statistics say. Up to PostgreSQL 17 a way that is off counts as so
 * dear that the server would compile every plan that has no other, for some ten milliseconds each time.
 */
export const byKey = `set plan_cache_mode = force_generic_plan ${without('jit', 'enable_seqscan', 'enable_bitmapscan')}`;
/** The same for joins. */
const joinsByKey = `${byKey} ${without('enable_hashjoin', 'enable_mergejoin', 'enable_material')}`;

/**
 * Appending. An offset is the server's time in microseconds, or one more than the last offset of the session; it is
 * given under the lock of the session's row, which is held until commit, so that the order of offsets is the order of
 * commits. That of notifications is, too.
 */
export const appendFunctions = (schema: string): string => `
-- Keeps the newest events of a session, whose row the caller has locked. A stream whose last event is dropped is
-- forgotten.
create function ${schema}.trim(p_session text, p_max_events integer, p_max_bytes bigint, p_cut bigint) returns void
language plpgsql ${byKey}
as $$
declare
	v_from bigint;
	v_events integer;
	v_bytes bigint;
begin
	select coalesce(min(k.off), 9223372036854775807), count(*), coalesce(sum(k.size), 0)
	into v_from, v_events, v_bytes
	from (
		select off, octet_length(data) as size from ${schema}.event
		where session = p_session and off >= p_cut order by off desc limit p_max_events
	) k;
	if v_bytes > p_max_bytes then
		select min(k.off), count(*), sum(k.size) into v_from, v_events, v_bytes
		from (
			select off, size, sum(size) over (order by off desc) as bytes, row_number() over (order by off desc) as number
			from (
				select off, octet_length(data) as size from ${schema}.event
				where session = p_session and off >= v_from order by off desc limit p_max_events
			) newest
		) k
		where k.bytes <= p_max_bytes or k.number = 1;
	end if;
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
) returns text language plpgsql ${joinsByKey}
as $$
declare
	v_sessions text[] := string_to_array(p_sessions, E'\\n');
	v_names text[] := array_fill(''::text, array[array_length(p_counts, 1)]);
	v_now bigint := ${schema}.now_us();
	v_young bigint := v_now - p_max_age;
	v_span bigint := greatest(1, p_max_age / 2);
	v_owners integer[];
	v_before bigint[];
	v_node text[];
	v_life bigint[];
	v_behind boolean[];
	v_full text[];
	v_fullness float8[];
	v_count integer;
	v_size bigint;
	v_slots integer[];
	v_newest bigint;
	v_epoch text;
	v_over boolean[];
	v_dead bigint[];
	v_session text;
begin
	-- The only session is the one with an empty id.
	if p_sessions = '' then v_sessions := array['']; end if;
	loop
		begin
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
				returning u.ord::integer as ord, s.session, s.last - u.count as before, s.node, s.life,
					s.undelivered is null and u.newest > 0 as behind, greatest(
						s.events::float8 / greatest(1, p_max_events), s.bytes::float8 / greatest(1, p_max_bytes)
					) as fullness
			)
			select array_agg(ord order by ord), array_agg(before order by ord), array_agg(node order by ord),
				array_agg(life order by ord), array_agg(behind order by ord),
				array_agg(session) filter (where fullness > 1.25), array_agg(fullness) filter (where fullness > 1.25)
			into v_owners, v_before, v_node, v_life, v_behind, v_full, v_fullness
			from updated;
			exit when array_length(v_owners, 1) = array_length(p_counts, 1);
			-- Those that were found are unlocked again: whoever makes the others may wait for them.
			raise exception using errcode = 'HF001';
		exception when sqlstate 'HF001' then
		end;
		foreach v_session in array v_sessions loop
			perform ${schema}.lock_session(v_session, p_max_age);
		end loop;
	end loop;
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

	with inserted as (
		insert into ${schema}.event (slot, session, off, name, ends, data)
		select ((v_before[v_owners[i.stream]] + i.number) / v_span) % 4, v_sessions[v_owners[i.stream]],
			v_before[v_owners[i.stream]] + i.number, v_names[i.stream], p_ends[i.stream] = i.number,
			substring(p_blob from i.start for i.size)
		from unnest(p_streams, p_numbers, p_starts, p_sizes) i(stream, number, start, size)
		where not v_over[i.stream]
		returning slot, off
	)
	select array_agg(distinct slot), max(off) into v_slots, v_newest from inserted;
	v_newest := v_newest / v_span;
	update ${schema}.ring set until = (v_newest - (v_newest - slot) % 4 + 1) * v_span
	where slot = any (v_slots) and until < (v_newest - (v_newest - slot) % 4 + 1) * v_span;

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

	-- Many sessions may be full at once: as many are trimmed as it takes to remove more than is added.
	select count(*), sum(i.size) into v_count, v_size from unnest(p_streams, p_sizes) i(stream, size);
	foreach v_session in array array(
		select f.session from unnest(v_full, v_fullness) f(session, fullness) order by f.fullness desc
		limit 1 + 8 * v_count / greatest(1, p_max_events) + 8 * v_size / greatest(1, p_max_bytes)
	) loop
		perform ${schema}.trim(v_session, p_max_events, p_max_bytes, v_young);
	end loop;
	return array_to_string(v_before, ',') || ';' || array_to_string(array(
		select u.number from unnest(v_over, v_life) with ordinality u(over, life, number)
		where u.over or u.number > array_length(v_sessions, 1) and u.life is distinct from p_life
	), ',');
end $$;

-- Appends one event, which fits into one notification, as append does, and returns the same: p_name is the name of its
-- stream, p_length its length in UTF-16. This is what a node sends that is not busy.
create function ${schema}.append_event(
	p_session text, p_name text, p_ends boolean, p_data bytea, p_length integer, p_channel text, p_life bigint,
	p_max_events integer, p_max_bytes bigint, p_max_age bigint
) returns text language plpgsql ${byKey}
as $$
declare
	v_now bigint := ${schema}.now_us();
	v_young bigint := v_now - p_max_age;
	v_span bigint := greatest(1, p_max_age / 2);
	v_off bigint;
	v_events integer;
	v_bytes bigint;
	v_node text;
	v_life bigint;
	v_behind boolean;
	v_dead bigint;
	v_over boolean := false;
	v_epoch text;
begin
	loop
		update ${schema}.stream s set
			last = greatest(v_now, s.last + 1), events = s.events + 1, bytes = s.bytes + octet_length(p_data),
			newest = case when p_name = '' then greatest(v_now, s.last + 1) else s.newest end,
			dropped = case when p_name = '' and s.newest < v_young then s.newest else s.dropped end,
			fresh_from = case when p_name = '' and s.newest < v_young then greatest(v_now, s.last + 1) else s.fresh_from end
		where s.session = p_session and s.name = '' and (s.ends_at is null or s.ends_at > v_now)
		returning s.last, s.events, s.bytes, s.node, s.life, s.undelivered is null
		into v_off, v_events, v_bytes, v_node, v_life, v_behind;
		exit when found;
		perform ${schema}.lock_session(p_session, p_max_age);
	end loop;
	if p_name <> '' then
		select s.node, s.life, s.over is not null into v_node, v_life, v_over
		from ${schema}.stream s where s.session = p_session and s.name = p_name;
		if v_over then return v_off - 1 || ';2'; end if;
	end if;
	if p_session = ' ' then
		v_node := p_channel;
	elsif v_life <> p_life and ${schema}.is_dead(v_life) then
		v_dead := v_life;
		v_node := null;
	end if;
	if v_node is null then v_epoch := ${schema}.epoch(); end if;
	if p_name <> '' then
		insert into ${schema}.stream as s (session, name, newest, dropped, fresh_from, over, left_at, last, reap_at,
			undelivered_epoch, undelivered)
		values (p_session, p_name, v_off, v_off - 1, v_off, case when p_ends then v_off end, v_now, v_off,
			v_now + p_max_age, v_epoch, v_off - 1)
		on conflict (session, name) do update set
			newest = excluded.newest, last = excluded.newest, over = excluded.over,
			dropped = case when s.newest < v_young then s.newest else s.dropped end,
			fresh_from = case when s.newest < v_young then excluded.fresh_from else s.fresh_from end,
			undelivered_epoch = case when s.undelivered is null and (s.token is null or s.life = v_dead) then v_epoch
				else s.undelivered_epoch end,
			undelivered = case when s.undelivered is null and (s.token is null or s.life = v_dead)
				then excluded.undelivered else s.undelivered end;
	elsif v_node is null and v_behind then
		update ${schema}.stream s set undelivered_epoch = v_epoch, undelivered = v_off - 1
		where s.session = p_session and s.name = '';
	end if;
	insert into ${schema}.event (slot, session, off, name, ends, data)
	values ((v_off / v_span) % 4, p_session, v_off, p_name, p_ends, p_data);
	update ${schema}.ring set until = (v_off / v_span + 1) * v_span where slot = (v_off / v_span) % 4 and until <= v_off;
	if v_node is not null then
		perform pg_notify(v_node, 'e' || v_off || ' ' || p_length || ' ' || ${schema}.stream_id(p_session, p_name) || E'\\n'
			|| convert_from(p_data, 'UTF8'));
	end if;
	if v_events - p_max_events > p_max_events / 4 or v_bytes - p_max_bytes > p_max_bytes / 4 then
		perform ${schema}.trim(p_session, p_max_events, p_max_bytes, v_young);
	end if;
	return v_off - 1 || case when p_name <> '' and v_life is distinct from p_life then ';2' else ';' end;
end $$;
`;

function without(...settings: readonly string[]): string {
	return settings.map((setting) => `set ${setting} = off`).join(' ');
}
