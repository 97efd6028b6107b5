import { byKey } from './append-functions.js';

/**
 * What a holder was given, so that nothing of it is forgotten where it did not detach. In a row of `stream`, `since` is
 * where the slice of its holder began, in the epoch `since_epoch`, or in none (`0`) where it had a gap;
 * `broadcasts_since` and `broadcasts_since_epoch` are where its broadcasts did. Nodes of older versions take streams
 * with the function that is replaced here.
 */
export const streamHandover = (schema: string): string => `
alter table ${schema}.stream add column since_epoch text, add column broadcasts_since_epoch text,
	add column broadcasts_since bigint;

-- Takes a stream over for p_token, tells the holder before, and returns what the new one must deliver. The first row
-- has the outcome with epoch, start, gap and, as data, the order; the events follow; then the broadcasts as
-- read_broadcasts returns them. Without p_offset it begins with what was never delivered. With p_of the positions are
-- those of that holder, and count only where no other has had the stream since. With p_keep it is taken only if p_token
-- still holds it; if a crash may have taken back that p_token took it, also if nobody does.
create function ${schema}.take_over(
	p_session text, p_name text, p_token text, p_keep boolean, p_epoch text, p_offset bigint,
	p_broadcasts_epoch text, p_broadcasts bigint, p_since_epoch text, p_since bigint, p_of text,
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
	v_unsure boolean;
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
	if p_of <> v_row.token or v_row.token is null and p_of is not null and v_row.undelivered is not null then
		p_offset := null;
		p_broadcasts := null;
	end if;
	-- Its last event is too old to be delivered.
	if v_row.over < v_cut and p_offset is null or v_row.over < v_cut and v_row.over > p_offset then
		delete from ${schema}.stream s where s.session = p_session and s.name = p_name;
		v_known := false;
	end if;
	if not v_known then
		-- Anybody can make up the name of a stream.
		if p_offset is not null and not p_keep and p_of is null then
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
		or p_of is not null and not v_known
		-- Somebody holds it, alive, hung or dead, or never learned that it does: nobody knows what reached its client.
		or p_offset is null and v_row.token is not null and (
			coalesce(v_row.undelivered, v_row.newest) > v_row.since or coalesce(v_row.since_epoch, v_epoch) <> v_epoch
		);
	-- A server that lost the end of the log may give new events offsets below the last one that the client saw.
	v_start := least(v_start, v_session.last);
	v_order := greatest(v_now, v_row.taken + 1);
	-- What the client of a holder that keeps its stream was written so far counts, too.
	update ${schema}.stream s set token = p_token, node = p_node, life = p_life, writer = p_writer,
		since = case when p_keep then coalesce(s.since, v_start) else v_start end,
		since_epoch = case when v_gap then '0' when p_keep then coalesce(s.since_epoch, v_epoch) else v_epoch end,
		undelivered = null, undelivered_epoch = null, left_at = v_now, taken = v_order
	where s.session = p_session and s.name = p_name;
	if v_row.token <> p_token and (v_row.life = p_life or not ${schema}.is_dead(v_row.life)) then
		perform pg_notify(v_row.node, 't' || v_order || ' ' || ${schema}.stream_id(p_session, p_name));
	end if;
	return query select 'taken'::text, v_epoch, v_start, v_gap, convert_to(v_order::text, 'UTF8');
	return query select 'event'::text, null::text, e.off, false, e.data from ${schema}.event e
		where e.session = p_session and e.name = p_name and e.off > v_start and e.off >= v_cut order by e.off;
	if p_name <> '' or p_keep then return; end if;
	if p_broadcasts is null and v_session.broadcasts is not null then
		p_broadcasts_epoch := v_session.broadcasts_epoch;
		p_broadcasts := v_session.broadcasts;
	elsif p_broadcasts is null and not v_session.seen then
		p_broadcasts_epoch := p_since_epoch;
		p_broadcasts := p_since;
	end if;
	for kind, epoch, off, gap, data in
		select b.* from ${schema}.read_broadcasts(p_broadcasts_epoch, p_broadcasts, p_max_events, p_max_bytes, p_max_age) b
	loop
		if kind = 'broadcasts' then
			v_unsure := p_broadcasts is null and v_row.token is not null
				and (v_row.broadcasts_since_epoch <> epoch or v_row.broadcasts_since < off);
			gap := gap or coalesce(v_unsure, false);
			update ${schema}.stream s set seen = true, broadcasts_epoch = null, broadcasts = null,
				since_epoch = case when v_unsure then '0' else s.since_epoch end,
				broadcasts_since_epoch = case when p_broadcasts is null then epoch else p_broadcasts_epoch end,
				broadcasts_since = coalesce(p_broadcasts, off)
			where s.session = p_session and s.name = '';
		end if;
		return next;
	end loop;
end $$;

create or replace function ${schema}.attach(
	p_session text, p_name text, p_token text, p_keep boolean, p_epoch text, p_offset bigint,
	p_broadcasts_epoch text, p_broadcasts bigint, p_since_epoch text, p_since bigint,
	p_node text, p_life bigint, p_writer text, p_max_events integer, p_max_bytes bigint, p_max_age bigint
) returns table (kind text, epoch text, off bigint, gap boolean, data bytea) language sql volatile
as $$
	select * from ${schema}.take_over(p_session, p_name, p_token, p_keep, p_epoch, p_offset, p_broadcasts_epoch,
		p_broadcasts, p_since_epoch, p_since, null, p_node, p_life, p_writer, p_max_events, p_max_bytes, p_max_age)
$$;
`;
