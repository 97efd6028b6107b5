/** Steps on conversations that nobody uses. Whether that is so is asked under the lock that every use takes. */
export const conversationUnused = (schema: string): string => `
-- Replaces a head as write_conversation does, where the conversation was last used before p_unused_since.
create function ${schema}.write_unused_conversation(
	p_id_hash bytea, p_version bigint, p_owner bytea, p_state text, p_head text, p_used_at float8, p_members bytea[],
	p_former boolean[], p_unused_since float8
) returns text language plpgsql
as $$
begin
	if not ${schema}.lock_unused(p_id_hash, p_unused_since) then return 'stale'; end if;
	return ${schema}.write_conversation(p_id_hash, p_version, p_owner, p_state, p_head, p_used_at, p_members, p_former,
		null);
end $$;

-- Deletes a conversation as delete_conversation does, where it was last used before p_unused_since.
create function ${schema}.delete_unused_conversation(p_id_hash bytea, p_unused_since float8) returns text
language plpgsql
as $$
begin
	if not ${schema}.lock_unused(p_id_hash, p_unused_since) then return 'none'; end if;
	return ${schema}.delete_conversation(p_id_hash);
end $$;

-- Locks the row of a conversation. Returns whether it was last used before p_unused_since; false where it is unknown.
create function ${schema}.lock_unused(p_id_hash bytea, p_unused_since float8) returns boolean language plpgsql
as $$
declare
	v_used_at float8;
begin
	select used_at into v_used_at from ${schema}.conversation where id_hash = p_id_hash for update;
	return coalesce(v_used_at < p_unused_since, false);
end $$;
`;
