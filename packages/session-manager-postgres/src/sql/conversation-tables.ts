/**
 * The tables of conversations. Texts that users choose are stored as `storedText` returns them, or as JSON; what is
 * compared, by its hash. Times are those of the callers, in milliseconds since the Unix epoch.
 *
 * - `conversation`: a head as JSON, with its SHA-256: one that was damaged is not written to. `version` is that of the
 *   head, `revision` that of everything. `messages` and `discoveries` are the numbers of the last ones, `archived` that
 *   of the last archived message, `changes` the version of the last change of the context, `bytes` how much is in it.
 * - `member`: who takes part, or only did (`former`).
 * - `message`, `discovery`: what was `said` or found can be erased, and `body` has the rest. `context`: values by name.
 *   `key` is the order in which they came. `words` is what is found, and a word that names the owner, so that an index
 *   of all words need not be read for everybody. Nothing that a use changes is indexed.
 * - `removal`: conversations that were deleted, of which there is something left: of messages and discoveries what
 *   comes after number `done`, up to `last`.
 */
export const conversationTables = (schema: string): string => `
create table ${schema}.conversation (
	key bigint generated always as identity primary key,
	id_hash bytea not null unique,
	id text not null,
	owner bytea not null,
	state text collate "C" not null,
	head text not null,
	head_sum bytea not null,
	used_at float8 not null,
	version bigint not null default 1,
	revision bigint not null default 1,
	messages bigint not null default 0,
	archived bigint not null default 0,
	discoveries bigint not null default 0,
	changes bigint not null default 0,
	bytes bigint not null default 0
) with (fillfactor = 70);
create index conversation_owner on ${schema}.conversation (owner) where state = 'active';
create index conversation_living on ${schema}.conversation (key) where state <> 'terminated';

create table ${schema}.member (
	principal bytea not null,
	conversation bigint not null,
	former boolean not null,
	primary key (principal, conversation)
);
create index member_conversation on ${schema}.member (conversation);

create table ${schema}.message (
	conversation bigint not null,
	number bigint not null,
	key bigint generated always as identity,
	owner bytea not null,
	author text collate "C",
	body text not null,
	said text not null,
	words tsvector not null,
	primary key (conversation, number)
);
create index message_owner on ${schema}.message (owner, key);
create index message_words on ${schema}.message using gin (words) with (gin_pending_list_limit = 256);

create table ${schema}.context (
	conversation bigint not null,
	name_hash bytea not null,
	name text not null,
	key bigint generated always as identity,
	owner bytea not null,
	author text collate "C",
	version bigint not null,
	value text not null,
	bytes bigint not null,
	added_at float8 not null,
	updated_at float8 not null,
	accessed_at float8 not null,
	archived boolean not null default false,
	words tsvector not null,
	primary key (conversation, name_hash)
) with (fillfactor = 80);
create index context_owner on ${schema}.context (owner, key);
create index context_words on ${schema}.context using gin (words) with (gin_pending_list_limit = 256);

create table ${schema}.discovery (
	conversation bigint not null,
	number bigint not null,
	key bigint generated always as identity,
	owner bytea not null,
	author text collate "C",
	body text not null,
	said text not null,
	words tsvector not null,
	primary key (conversation, number)
);
create index discovery_owner on ${schema}.discovery (owner, key);
create index discovery_words on ${schema}.discovery using gin (words) with (gin_pending_list_limit = 256);

create table ${schema}.removal (
	conversation bigint primary key,
	done bigint not null default 0,
	last bigint not null
);
`;
