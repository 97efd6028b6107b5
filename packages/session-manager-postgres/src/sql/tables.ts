/**
 * The tables. Texts that clients choose are stored as `storedText` returns them. Dates of the nodes (`created_at`,
 * `last_used_at`, `ends_at`, `ended_at`) are milliseconds since the Unix epoch and only shown. What expires is measured
 * by the server's clock: `used_at`, `over_at`, `gone_at` and `reap_at` in milliseconds, and all times of streams, which
 * are offsets too, in microseconds.
 *
 * - `migration`: the migrations that were applied.
 * - `world`: the secret in the names of channels, which nobody may guess.
 * - `life`: one unlogged row, which is gone when the server may have lost commits: after a crash or a fail-over.
 * - `counter`: how many sessions live. `owner`: how many of them count for whom.
 * - `session`, `subscription`, `state`: what a session is. `reap_at` is when the sweeper looks at it, `counted` whether
 *   it counts as one that lives, `owner` whom it counts for, `verified` whether that is a principal, and `unused_since`
 *   its place among those that give way in a full store, which is not moved at each use. Nothing that a use changes is
 *   indexed, so that these updates are HOT.
 * - `lease`: made unlogged here, and kept since kept-leases.ts. `node`: unlogged, since it is only for the nodes that
 *   are up.
 * - `stream`: a stream that is or was held or written to; with an empty name the session stream, whose row also has
 *   what concerns all streams of the session, and is locked before any of the others. The broadcasts are the session
 *   stream of the session that is called by a space. `newest` is its newest event, `dropped` the newest one that is
 *   lost, `since` where the slice of the holder began (stream-handover.ts has more of it), `taken` the order of the
 *   newest holder, `fresh_from` the oldest event that came after a pause in which all before it had aged.
 * - `event`: a ring of partitions, each for a span of time, of which the oldest is truncated.
 * - `ring`: of each partition, up to where it was truncated, and what all of its events are older than (0: it is
 *   empty).
 */
export const tables = (schema: string): string => `
create table ${schema}.world (
	one boolean primary key default true check (one),
	secret text not null
);
insert into ${schema}.world (secret) values (replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''));

create unlogged table ${schema}.life (
	one boolean primary key default true check (one),
	epoch text not null
);

create table ${schema}.counter (
	one boolean primary key default true check (one),
	sessions bigint not null
) with (fillfactor = 10);
insert into ${schema}.counter (sessions) values (0);

create table ${schema}.owner (
	owner bytea primary key,
	verified boolean not null,
	sessions bigint not null
) with (fillfactor = 70);
create index owner_sessions on ${schema}.owner (sessions desc, verified, owner);

create table ${schema}.session (
	id text collate "C" primary key,
	principal_hash bytea,
	principal text,
	client text not null,
	record text not null,
	initialize_params text not null,
	client_info text,
	client_capabilities text,
	server_capabilities text not null,
	protocol_version text not null,
	log_level text,
	status text,
	created_at float8 not null,
	last_used_at float8 not null,
	idle_ttl_ms float8,
	ends_at float8,
	keep_ended_ms float8,
	ended_at float8,
	end_reason text,
	used_at float8 not null,
	over_at float8,
	gone_at float8,
	state_bytes bigint not null default 0,
	versions bigint not null default 0,
	reap_at float8 not null,
	owner bytea not null,
	verified boolean not null,
	counted boolean not null default true,
	unused_since float8 not null
) with (fillfactor = 80);
create index session_principal on ${schema}.session (principal_hash) where principal_hash is not null;
create index session_reap on ${schema}.session (reap_at);
create index session_unused on ${schema}.session (verified, unused_since) where counted;
create index session_owner on ${schema}.session (owner, unused_since) where counted;

create table ${schema}.subscription (
	session text collate "C" not null,
	uri_hash bytea not null,
	uri text not null,
	primary key (session, uri_hash)
);
create index subscription_uri on ${schema}.subscription (uri_hash, session);

create table ${schema}.state (
	session text collate "C" not null,
	key_hash bytea not null,
	key text not null,
	version bigint not null,
	bytes integer not null,
	value text not null,
	primary key (session, key_hash)
) with (fillfactor = 80);

create unlogged table ${schema}.lease (
	name text collate "C" primary key,
	holder text not null,
	until float8 not null
);

create unlogged table ${schema}.node (
	id text collate "C" primary key,
	record text not null,
	until float8 not null
);

create table ${schema}.stream (
	session text collate "C" not null,
	name text collate "C" not null,
	newest bigint not null,
	dropped bigint not null,
	fresh_from bigint not null,
	over bigint,
	undelivered_epoch text,
	undelivered bigint,
	token text,
	node text,
	life bigint,
	writer text,
	since bigint,
	taken bigint not null default 0,
	left_at bigint not null,
	last bigint not null,
	events integer not null default 0,
	bytes bigint not null default 0,
	seen boolean not null default false,
	broadcasts_epoch text,
	broadcasts bigint,
	ends_at bigint,
	reap_at bigint not null,
	primary key (session, name)
) with (fillfactor = 70);
create index stream_reap on ${schema}.stream (reap_at);

create table ${schema}.event (
	slot smallint not null,
	session text collate "C" not null,
	off bigint not null,
	name text collate "C" not null,
	ends boolean not null,
	data bytea not null,
	primary key (session, off, slot)
) partition by list (slot);
alter table ${schema}.event alter column data set storage external;
-- What is only added and soon truncated needs no vacuum, and whoever reads finds it by key, without statistics. Where
-- rows were deleted, it is vacuumed.
${[0, 1, 2, 3].map((slot) => partition(schema, slot)).join('')}

create table ${schema}.ring (
	slot smallint primary key,
	dropped bigint not null,
	until bigint not null
);
insert into ${schema}.ring (slot, dropped, until) values (0, 0, 0), (1, 0, 0), (2, 0, 0), (3, 0, 0);
`;

const partition = (schema: string, slot: number): string =>
	`create table ${schema}.event_${slot} partition of ${schema}.event for values in (${slot})
	with (autovacuum_vacuum_insert_threshold = -1, autovacuum_analyze_threshold = 2147483647);
`;
