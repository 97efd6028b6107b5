/**
 * Versions of a conversation begin at a random number, and those of its values and its revisions as well: nobody has
 * read them of a deleted one that had the same id. The function that is replaced here serves nodes of older versions
 * too.
 */
export const conversationVersions = (schema: string): string => `
create or replace function ${schema}.create_conversation(
	p_id_hash bytea, p_id text, p_owner bytea, p_state text, p_head text, p_used_at float8, p_members bytea[],
	p_former boolean[], p_per_owner bigint, p_total bigint
) returns text language plpgsql
as $$
declare
	v_key bigint;
	-- JavaScript counts on from here without rounding.
	v_first bigint := 1 + floor(random() * 2.0 ^ 47)::bigint;
begin
	if p_total is not null then perform ${schema}.lock_conversations(null); end if;
	if p_per_owner is not null and p_state = 'active' then perform ${schema}.lock_conversations(p_owner); end if;
	if exists (select from ${schema}.conversation where id_hash = p_id_hash) then return 'taken'; end if;
	if p_total <= (select count(*) from ${schema}.conversation where state <> 'terminated') then return 'total'; end if;
	if p_state = 'active' and p_per_owner <= (
		select count(*) from ${schema}.conversation where owner = p_owner and state = 'active'
	) then return 'owned'; end if;
	insert into ${schema}.conversation (id_hash, id, owner, state, head, head_sum, used_at, version, revision, changes)
	values (p_id_hash, p_id, p_owner, p_state, p_head, sha256(convert_to(p_head, 'UTF8')), p_used_at, v_first, v_first,
		v_first)
	on conflict (id_hash) do nothing returning key into v_key;
	if v_key is null then return 'taken'; end if;
	perform ${schema}.set_members(v_key, p_members, p_former);
	return 'created';
end $$;
`;
