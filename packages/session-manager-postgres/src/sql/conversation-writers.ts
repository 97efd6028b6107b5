import { locked } from './conversation-functions.js';

/**
 * Steps of somebody who writes. Each returns 'refused' where they are neither owner nor writer, or the conversation is
 * not active. `p_writer` is their name as JSON.
 */
export const conversationWriters = (schema: string): string => `
-- JSON of the nodes, so that PostgreSQL reads all of it: in place of escapes that begin with \\u it has others, which
-- the nodes never write. Texts in it are to be compared as JSON. The control character in between is in no JSON.
create function ${schema}.readable_json(p_json text) returns json language sql immutable
as $$
	select replace(replace(replace(
		p_json, repeat(chr(92), 2), chr(1)), chr(92) || 'u', chr(92) || '/u'), chr(1), repeat(chr(92), 2))::json
$$;

create function ${schema}.may_write(c ${schema}.conversation, p_writer text) returns boolean language sql stable
as $$
	select c.state = 'active' and exists (
		select from json_array_elements(${schema}.readable_json(c.head) -> 'members') m
		where (m -> 'principal')::text = ${schema}.readable_json(p_writer)::text and m ->> 'role' in ('owner', 'writer')
	)
$$;

-- Does what append_messages_as does, in several statements, for every head.
create function ${schema}.append_messages_by(
	p_id_hash bytea, p_bodies text[], p_said text[], p_authors text[], p_words text[], p_keep bigint, p_batch bigint,
	p_writer text, p_max bigint, p_at float8, p_interval float8
) returns text language plpgsql
as $$
declare
	v_c ${schema}.conversation;
begin
${locked(schema)}
	if v_c.bytes >= p_max or not ${schema}.may_write(v_c, p_writer) then return 'refused'; end if;
	update ${schema}.conversation set used_at = p_at where key = v_c.key and p_at - used_at >= p_interval;
	return ${schema}.append_messages(p_id_hash, p_bodies, p_said, p_authors, p_words, p_keep, p_batch);
end $$;

-- Writes a value as set_context does.
create function ${schema}.set_context_by(
	p_id_hash bytea, p_name_hash bytea, p_name text, p_expected text, p_value text, p_bytes bigint, p_at float8,
	p_author text, p_words text, p_max bigint, p_writer text
) returns text language plpgsql
as $$
declare
	v_c ${schema}.conversation;
begin
${locked(schema)}
	if not ${schema}.may_write(v_c, p_writer) then return 'refused'; end if;
	return ${schema}.set_context(p_id_hash, p_name_hash, p_name, p_expected, p_value, p_bytes, p_at, p_author, p_words,
		p_max);
end $$;

-- Adds a discovery as add_discovery does.
create function ${schema}.add_discovery_by(
	p_id_hash bytea, p_body text, p_said text, p_author text, p_words text, p_writer text
) returns text language plpgsql
as $$
declare
	v_c ${schema}.conversation;
begin
${locked(schema)}
	if not ${schema}.may_write(v_c, p_writer) then return 'refused'; end if;
	return ${schema}.add_discovery(p_id_hash, p_body, p_said, p_author, p_words);
end $$;
`;
