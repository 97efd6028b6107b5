/** Creates conversations of owners who may have only so many, whatever state they are in. */
export const conversationKept = (schema: string): string => `
create index conversation_owned on ${schema}.conversation (owner);

-- Does what create_conversation does. Returns 'kept' where the owner has p_kept conversations; NULL is no limit.
create function ${schema}.add_conversation(
	p_id_hash bytea, p_id text, p_owner bytea, p_state text, p_head text, p_used_at float8, p_members bytea[],
	p_former boolean[], p_per_owner bigint, p_total bigint, p_kept bigint
) returns text language plpgsql
as $$
begin
	if p_kept is not null then
		-- In the order in which create_conversation takes its locks.
		if p_total is not null then perform ${schema}.lock_conversations(null); end if;
		perform ${schema}.lock_conversations(p_owner);
		if p_kept <= (select count(*) from ${schema}.conversation where owner = p_owner)
			and not exists (select from ${schema}.conversation where id_hash = p_id_hash) then return 'kept'; end if;
	end if;
	return ${schema}.create_conversation(p_id_hash, p_id, p_owner, p_state, p_head, p_used_at, p_members, p_former,
		p_per_owner, p_total);
end $$;
`;
