/**
 * Leases that survive a crash of the server, because one may say that something was used that must not be used again.
 * Nodes of older versions go on with the same table, whose rights stay as they are. Those that are over are left out:
 * there may be millions, which nothing removed before.
 */
export const keptLeases = (schema: string): string => `
lock table ${schema}.lease in access exclusive mode;
create unlogged table ${schema}.lease_now as
select name, holder, until from ${schema}.lease where until > ${schema}.now_ms();
truncate ${schema}.lease;
alter table ${schema}.lease set logged;
insert into ${schema}.lease (name, holder, until) select name, holder, until from ${schema}.lease_now;
drop table ${schema}.lease_now;
create index lease_until on ${schema}.lease (until);

-- Takes or renews a lease. Returns whether the holder has it now, once that is on the disk, whatever else waits for it.
create function ${schema}.acquire_lease(p_name text, p_holder text, p_ms float8) returns boolean language plpgsql
as $$
begin
	insert into ${schema}.lease as l (name, holder, until) values (p_name, p_holder, ${schema}.now_ms() + p_ms)
	on conflict (name) do update set holder = excluded.holder, until = excluded.until
	where l.holder = excluded.holder or l.until <= ${schema}.now_ms();
	if not found then return false; end if;
	if current_setting('synchronous_commit') = 'off' then perform set_config('synchronous_commit', 'on', true); end if;
	return true;
end $$;

-- Removes up to p_limit leases that are over. Returns how many it removed.
create function ${schema}.remove_leases(p_limit integer) returns integer language plpgsql
as $$
declare
	v_now float8 := ${schema}.now_ms();
	v_removed integer;
begin
	delete from ${schema}.lease where ctid = any (array(
		select ctid from ${schema}.lease where until <= v_now order by until limit p_limit for update skip locked
	));
	get diagnostics v_removed = row_count;
	return v_removed;
end $$;
`;
