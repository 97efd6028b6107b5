/** How many messages, discoveries and values each one step erases or removes: others wait for it. */
const STEP = 1_000;

/**
 * Steps on conversations that must be atomic and take several statements. Each locks the row of its conversation first,
 * and returns 'none' where that is unknown or has ended, and 'corrupt' where its head was damaged.
 */
export const conversationFunctions = (schema: string): string => `
create function ${schema}.is_sound(c ${schema}.conversation) returns boolean language sql stable
as $$ select c.head_sum = sha256(convert_to(c.head, 'UTF8')) $$;

-- The words of a text, and the word that names an owner.
create function ${schema}.owned_words(p_words text, p_owner bytea) returns tsvector language sql stable
as $$ select p_words::tsvector || array_to_tsvector(array['@' || encode(substring(p_owner from 1 for 16), 'hex')]) $$;

-- Keeps others from making conversations of an owner active; NULL: from making any.
create function ${schema}.lock_conversations(p_owner bytea) returns void language plpgsql
as $$
begin
	perform pg_advisory_xact_lock('${schema}.conversation'::regclass::oid::integer,
		coalesce(('x' || encode(substring(p_owner from 1 for 4), 'hex'))::bit(32)::integer, 0));
end $$;

create function ${schema}.set_members(p_key bigint, p_members bytea[], p_former boolean[]) returns void language plpgsql
as $$
begin
	delete from ${schema}.member where conversation = p_key;
	insert into ${schema}.member (principal, conversation, former)
	select m.principal, p_key, m.former from unnest(p_members, p_former) m(principal, former) on conflict do nothing;
end $$;

-- Creates a conversation. Returns 'created', 'taken', 'total' or 'owned'; NULL is no limit.
create function ${schema}.create_conversation(
	p_id_hash bytea, p_id text, p_owner bytea, p_state text, p_head text, p_used_at float8, p_members bytea[],
	p_former boolean[], p_per_owner bigint, p_total bigint
) returns text language plpgsql
as $$
declare
	v_key bigint;
begin
	if p_total is not null then perform ${schema}.lock_conversations(null); end if;
	if p_per_owner is not null and p_state = 'active' then perform ${schema}.lock_conversations(p_owner); end if;
	if exists (select from ${schema}.conversation where id_hash = p_id_hash) then return 'taken'; end if;
	if p_total <= (select count(*) from ${schema}.conversation where state <> 'terminated') then return 'total'; end if;
	if p_state = 'active' and p_per_owner <= (
		select count(*) from ${schema}.conversation where owner = p_owner and state = 'active'
	) then return 'owned'; end if;
	insert into ${schema}.conversation (id_hash, id, owner, state, head, head_sum, used_at)
	values (p_id_hash, p_id, p_owner, p_state, p_head, sha256(convert_to(p_head, 'UTF8')), p_used_at)
	on conflict (id_hash) do nothing returning key into v_key;
	if v_key is null then return 'taken'; end if;
	perform ${schema}.set_members(v_key, p_members, p_former);
	return 'created';
end $$;

-- Replaces a head. Returns 'written', 'stale', 'owned' or 'corrupt'.
create function ${schema}.write_conversation(
	p_id_hash bytea, p_version bigint, p_owner bytea, p_state text, p_head text, p_used_at float8, p_members bytea[],
	p_former boolean[], p_per_owner bigint
) returns text language plpgsql
as $$
declare
	v_c ${schema}.conversation;
begin
	select * into v_c from ${schema}.conversation where id_hash = p_id_hash for update;
	if not found or v_c.version <> p_version then return 'stale'; end if;
	if not ${schema}.is_sound(v_c) then return 'corrupt'; end if;
	if p_per_owner is not null and p_state = 'active' and v_c.state <> 'active' then
		perform ${schema}.lock_conversations(p_owner);
		if p_per_owner <= (
			select count(*) from ${schema}.conversation where owner = p_owner and state = 'active'
		) then return 'owned'; end if;
	end if;
	update ${schema}.conversation set owner = p_owner, state = p_state, head = p_head,
		head_sum = sha256(convert_to(p_head, 'UTF8')), used_at = greatest(used_at, p_used_at), version = version + 1,
		revision = revision + 1
	where key = v_c.key;
	perform ${schema}.set_members(v_c.key, p_members, p_former);
	if v_c.owner <> p_owner then perform ${schema}.change_owner(v_c.key, v_c.owner, p_owner); end if;
	return 'written';
end $$;

-- Lets the searches of another owner find what is in a conversation.
create function ${schema}.change_owner(p_key bigint, p_from bytea, p_to bytea) returns void language plpgsql
as $$
declare
	v_before text := '@' || encode(substring(p_from from 1 for 16), 'hex');
begin
${['message', 'context', 'discovery']
	.map(
		(table) => `	update ${schema}.${table} set owner = p_to,
		words = ts_delete(words, v_before) || ${schema}.owned_words('', p_to) where conversation = p_key;`,
	)
	.join('\n')}
end $$;

create function ${schema}.touch_conversation(p_id_hash bytea, p_used_at float8) returns text language plpgsql
as $$
declare
	v_c ${schema}.conversation;
begin
${locked(schema)}
	update ${schema}.conversation set used_at = p_used_at, revision = revision + 1
	where key = v_c.key and used_at < p_used_at;
	return 'done';
end $$;

-- Deletes a conversation: nobody knows it any more, and a first step removes what it had. Returns 'none', 'done', or
-- the key of what further steps must remove.
create function ${schema}.delete_conversation(p_id_hash bytea) returns text language plpgsql
as $$
declare
	v_c ${schema}.conversation;
begin
	delete from ${schema}.conversation where id_hash = p_id_hash returning * into v_c;
	if not found then return 'none'; end if;
	delete from ${schema}.member where conversation = v_c.key;
	insert into ${schema}.removal (conversation, last) values (v_c.key, greatest(v_c.messages, v_c.discoveries));
	return case when ${schema}.remove_conversation(v_c.key) then v_c.key::text else 'done' end;
end $$;

-- Removes up to ${STEP} messages, discoveries and values each of a deleted conversation; where p_key is NULL, of one on
-- which nobody works. Returns whether there may be more.
create function ${schema}.remove_conversation(p_key bigint) returns boolean language plpgsql
as $$
declare
	v_r ${schema}.removal;
	v_values integer;
begin
	if p_key is null then
		select * into v_r from ${schema}.removal order by conversation limit 1 for update skip locked;
	else
		select * into v_r from ${schema}.removal where conversation = p_key for update;
	end if;
	if not found then return false; end if;
	delete from ${schema}.message
	where conversation = v_r.conversation and number > v_r.done and number <= v_r.done + ${STEP};
	delete from ${schema}.discovery
	where conversation = v_r.conversation and number > v_r.done and number <= v_r.done + ${STEP};
	delete from ${schema}.context where conversation = v_r.conversation and name_hash = any (array(
		select name_hash from ${schema}.context where conversation = v_r.conversation limit ${STEP}
	));
	get diagnostics v_values = row_count;
	if v_r.done + ${STEP} < v_r.last or v_values = ${STEP} then
		update ${schema}.removal set done = done + ${STEP} where conversation = v_r.conversation;
		return true;
	end if;
	delete from ${schema}.removal where conversation = v_r.conversation;
	return p_key is null;
end $$;

-- Appends messages, and moves the oldest to the archive where there are more than p_keep, p_batch at a time; NULL is no
-- limit. Returns the number of the first.
create function ${schema}.append_messages(
	p_id_hash bytea, p_bodies text[], p_said text[], p_authors text[], p_words text[], p_keep bigint, p_batch bigint
) returns text language plpgsql
as $$
declare
	v_c ${schema}.conversation;
	v_last bigint;
	v_moved bigint := 0;
begin
${locked(schema)}
	v_last := v_c.messages + cardinality(p_bodies);
	insert into ${schema}.message (conversation, number, owner, author, body, said, words)
	select v_c.key, v_c.messages + m.place, v_c.owner, m.author, m.body, m.said,
		${schema}.owned_words(m.words, v_c.owner)
	from unnest(p_bodies, p_said, p_authors, p_words) with ordinality m(body, said, author, words, place);
	if v_last - v_c.archived > p_keep then
		v_moved := least(v_last - v_c.archived,
			ceil((v_last - v_c.archived - p_keep)::numeric / p_batch)::bigint * p_batch);
	end if;
	update ${schema}.conversation set messages = v_last, archived = archived + v_moved, revision = revision + 1,
		bytes = bytes + coalesce((select sum(octet_length(t)) from unnest(p_bodies || p_said) t), 0)
	where key = v_c.key;
	return v_c.messages + 1;
end $$;

-- Writes a value of the context, or removes it (p_value NULL). Returns 'conflict', 'too-large', or JSON with the
-- version and the names that moved to the archive: a fifth of the others, those unused for longest, again and again
-- until there is room.
create function ${schema}.set_context(
	p_id_hash bytea, p_name_hash bytea, p_name text, p_expected text, p_value text, p_bytes bigint, p_at float8,
	p_author text, p_words text, p_max bigint
) returns text language plpgsql
as $$
declare
	v_c ${schema}.conversation;
	v_old ${schema}.context;
	v_bytes bigint;
	v_count bigint;
	v_archived text[] := '{}';
begin
${locked(schema)}
	select * into v_old from ${schema}.context where conversation = v_c.key and name_hash = p_name_hash;
	if p_expected is distinct from '*' and p_expected is distinct from v_old.version::text then return 'conflict'; end if;
	if p_value is not null and p_max is not null then
		if p_bytes > p_max then return 'too-large'; end if;
		loop
			select coalesce(sum(bytes), 0), count(*) into v_bytes, v_count from ${schema}.context
			where conversation = v_c.key and not archived and name_hash <> p_name_hash;
			exit when v_bytes + p_bytes <= p_max;
			with moved as (
				update ${schema}.context set archived = true where conversation = v_c.key and name_hash in (
					select name_hash from ${schema}.context
					where conversation = v_c.key and not archived and name_hash <> p_name_hash
					order by accessed_at, key limit ceil(v_count / 5.0)::bigint
				) returning name
			)
			select v_archived || array_agg(name) into v_archived from moved;
		end loop;
	end if;
	delete from ${schema}.context where conversation = v_c.key and name_hash = p_name_hash;
	if p_value is not null then
		insert into ${schema}.context (conversation, name_hash, name, owner, author, version, value, bytes, added_at,
			updated_at, accessed_at, words)
		values (v_c.key, p_name_hash, p_name, v_c.owner, p_author, v_c.changes + 1, p_value, p_bytes,
			coalesce(v_old.added_at, p_at), p_at, p_at, ${schema}.owned_words(p_words, v_c.owner));
	end if;
	update ${schema}.conversation set changes = changes + 1, revision = revision + 1,
		bytes = bytes + coalesce(p_bytes, 0) - coalesce(v_old.bytes, 0)
	where key = v_c.key;
	return json_build_object('version', (v_c.changes + 1)::text, 'archived', v_archived);
end $$;

create function ${schema}.touch_context(p_id_hash bytea, p_names bytea[], p_at float8) returns text language plpgsql
as $$
declare
	v_c ${schema}.conversation;
begin
${locked(schema)}
	update ${schema}.context set accessed_at = p_at
	where conversation = v_c.key and name_hash = any (p_names) and accessed_at < p_at;
	return 'done';
end $$;

-- Adds a discovery, and returns its number.
create function ${schema}.add_discovery(p_id_hash bytea, p_body text, p_said text, p_author text, p_words text)
returns text language plpgsql
as $$
declare
	v_c ${schema}.conversation;
begin
${locked(schema)}
	insert into ${schema}.discovery (conversation, number, owner, author, body, said, words)
	values (v_c.key, v_c.discoveries + 1, v_c.owner, p_author, p_body, p_said,
		${schema}.owned_words(p_words, v_c.owner));
	update ${schema}.conversation set discoveries = discoveries + 1, revision = revision + 1,
		bytes = bytes + octet_length(p_body) + octet_length(p_said)
	where key = v_c.key;
	return v_c.discoveries + 1;
end $$;

-- Erases what somebody wrote, also in a conversation that has ended. It looks at ${STEP} messages, discoveries and
-- values each, after p_number and p_name. Returns how much it erased, and where it stopped; NULL where it is the end.
create function ${schema}.erase_author(
	p_id_hash bytea, p_author text, p_number bigint, p_name bytea, p_message text, p_message_words text,
	p_discovery text, p_discovery_words text, out erased bigint, out stop bigint, out stop_name bytea
) language plpgsql
as $$
declare
	v_c ${schema}.conversation;
	v_names bytea[];
	v_count bigint;
	v_freed bigint;
begin
	erased := 0;
	select * into v_c from ${schema}.conversation where id_hash = p_id_hash for update;
	if not found then return; end if;
	update ${schema}.message set author = null, said = p_message,
		words = ${schema}.owned_words(p_message_words, v_c.owner)
	where conversation = v_c.key and number > p_number and number <= p_number + ${STEP} and author = p_author;
	get diagnostics v_count = row_count;
	erased := erased + v_count;
	update ${schema}.discovery set author = null, said = p_discovery,
		words = ${schema}.owned_words(p_discovery_words, v_c.owner)
	where conversation = v_c.key and number > p_number and number <= p_number + ${STEP} and author = p_author;
	get diagnostics v_count = row_count;
	erased := erased + v_count;
	v_names := array(
		select name_hash from ${schema}.context where conversation = v_c.key and name_hash > p_name
		order by name_hash limit ${STEP}
	);
	with removed as (
		delete from ${schema}.context
		where conversation = v_c.key and name_hash = any (v_names) and author = p_author returning bytes
	)
	select count(*), coalesce(sum(bytes), 0) into v_count, v_freed from removed;
	erased := erased + v_count;
	if erased > 0 then
		update ${schema}.conversation set changes = changes + 1, revision = revision + 1, bytes = bytes - v_freed
		where key = v_c.key;
	end if;
	if p_number + ${STEP} < greatest(v_c.messages, v_c.discoveries) or cardinality(v_names) = ${STEP} then
		stop := p_number + ${STEP};
		stop_name := coalesce(v_names[cardinality(v_names)], p_name);
	end if;
end $$;
`;

/** Locks the row of the conversation, as `v_c`. */
export function locked(schema: string): string {
	return `	select * into v_c from ${schema}.conversation where id_hash = p_id_hash for update;
	if not found or v_c.state = 'terminated' then return 'none'; end if;
	if not ${schema}.is_sound(v_c) then return 'corrupt'; end if;`;
}
