/** Whether PostgreSQL reads all escapes of a head: not those of NUL and of lone surrogates, which begin with \u. */
const readable = `strpos(replace(c.head, repeat(chr(92), 2), ''), chr(92) || 'u') = 0`;

/** What somebody who writes asks in one step: whether they may, and to note that the conversation is used. */
export const conversationUse = (schema: string): string => `
-- Appends messages of somebody, as append_messages does. Returns 'refused' where they are neither owner nor writer, and
-- where the conversation is not active or has p_max bytes; also where its head has escapes that PostgreSQL cannot
-- read. It is used at p_at, which is noted every p_interval milliseconds. One update takes the lock, and says what the
-- row has: what is asked of it is asked again where somebody else was faster.
create function ${schema}.append_messages_as(
	p_id_hash bytea, p_bodies text[], p_said text[], p_authors text[], p_words text[], p_keep bigint, p_batch bigint,
	p_writer text, p_max bigint, p_at float8, p_interval float8
) returns text language plpgsql
as $$
declare
	v_count bigint := cardinality(p_bodies);
	v_c ${schema}.conversation;
begin
	update ${schema}.conversation c set messages = c.messages + v_count,
		archived = c.archived + case when c.messages + v_count - c.archived > p_keep
			then least(c.messages + v_count - c.archived,
				ceil((c.messages + v_count - c.archived - p_keep)::numeric / p_batch)::bigint * p_batch)
			else 0 end,
		bytes = c.bytes + octet_length(array_to_string(p_bodies || p_said, '')),
		used_at = case when p_at - c.used_at >= p_interval then p_at else c.used_at end,
		revision = c.revision + 1
	where c.id_hash = p_id_hash and c.state = 'active' and c.bytes < p_max
		and case when ${schema}.is_sound(c) and ${readable} then exists (
			select from json_array_elements(c.head::json -> 'members') m
			where m ->> 'principal' = p_writer and m ->> 'role' in ('owner', 'writer')
		) end
	returning * into v_c;
	if not found then
		select * into v_c from ${schema}.conversation where id_hash = p_id_hash;
		if not found or v_c.state = 'terminated' then return 'none'; end if;
		return case when ${schema}.is_sound(v_c) then 'refused' else 'corrupt' end;
	end if;
	insert into ${schema}.message (conversation, number, owner, author, body, said, words)
	select v_c.key, v_c.messages - v_count + m.place, v_c.owner, m.author, m.body, m.said,
		${schema}.owned_words(m.words, v_c.owner)
	from unnest(p_bodies, p_said, p_authors, p_words) with ordinality m(body, said, author, words, place);
	return v_c.messages - v_count + 1;
end $$;
`;
