/** How many discoveries `erase_author` looks at in one step. */
const STEP = 1_000;

/** The erasure of what somebody wrote, with what a discovery of theirs names. */
export const conversationErasure = (schema: string): string => `
-- Erases as erase_author does, and first the names of values from what the discoveries rest on: no other text in a body
-- has the quotation marks as they are.
create function ${schema}.erase_author_whole(
	p_id_hash bytea, p_author text, p_number bigint, p_name bytea, p_message text, p_message_words text,
	p_discovery text, p_discovery_words text, out erased bigint, out stop bigint, out stop_name bytea
) language plpgsql
as $$
begin
	perform from ${schema}.conversation where id_hash = p_id_hash for update;
	update ${schema}.discovery d
	set body = regexp_replace(d.body, E'"context":\\\\[("([^"\\\\\\\\]|\\\\\\\\.)*",?)*\\\\]', '"context":[]')
	from ${schema}.conversation c
	where c.id_hash = p_id_hash and d.conversation = c.key and d.number > p_number and d.number <= p_number + ${STEP}
		and d.author = p_author;
	select e.erased, e.stop, e.stop_name into erased, stop, stop_name
	from ${schema}.erase_author(p_id_hash, p_author, p_number, p_name, p_message, p_message_words, p_discovery,
		p_discovery_words) e;
end $$;
`;
