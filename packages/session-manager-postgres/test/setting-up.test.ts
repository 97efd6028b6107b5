import assert from 'node:assert/strict';
import {
	PostgresInfoSessionManager,
	PostgresStreamSessionManager,
	postgresSchemaSql,
} from '@holdfast/session-manager-postgres';
import { PostgresConversationStore } from '@holdfast/session-manager-postgres/conversations';
import { open, sampleRecord, sse } from '@holdfast/session-manager-test-kit/own-cases';
import type { Client } from 'pg';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { TcpProxy } from '../../../test/support/network/tcp-proxy.ts';
import { PostgresServer } from '../../../test/support/postgres/postgres-server.ts';
import { until } from '../../../test/support/until.ts';
import { migrations } from '../src/sql/migrations.ts';

const unavailable = { name: 'SessionManagerError', code: 'unavailable' };

let server: PostgresServer;
beforeAll(async () => {
	server = await PostgresServer.create();
});
afterAll(() => server?.dispose());

/** Collects what a manager reports. */
function errorsOf(...managers: readonly { onerror: ((error: Error) => void) | undefined }[]): string[] {
	const errors: string[] = [];
	for (const manager of managers) manager.onerror = ({ message }) => void errors.push(message);
	return errors;
}

describe('a connection that falls silent while it is set up', () => {
	it.each([
		['is asked what it is', 'pg_is_in_recovery'],
		['is asked for its migrations', '.migration order by'],
		['is told to listen', 'pg_advisory_lock'],
	])(
		'is given up, and made again, when the server %s',
		async (_, said) => {
			await server.query(`drop schema if exists holdfast cascade; ${postgresSchemaSql()}`);
			await using proxy = await TcpProxy.to(server.port);
			proxy.forgetAt(said);
			await using streams = new PostgresStreamSessionManager(server.url.replace(`:${server.port}/`, `:${proxy.port}/`));
			const errors = errorsOf(streams);
			const client = await until('a stream opens', () => open(streams, 's'));
			await streams.send(['s'], sse(1));
			assert.deepEqual(await client.hears(1), ['1']);
			assert.deepEqual(errors, ['PostgreSQL does not reply; the connection is made anew.']);
		},
		20_000,
	);
});

describe('a migration, while somebody reads what it changes for a long time', () => {
	let reader: Client;
	beforeAll(async () => {
		reader = await server.client();
	});

	it('lets the nodes that run go on, and is done once it can be', async () => {
		const schema = '"older"';
		await server.query(`create schema older; create table older.migration (id int primary key, breaking boolean);
			insert into older.migration values (1, true); ${migrations[0]?.sql(schema)}`);
		const running = await server.client();
		await reader.query('begin; select count(*) from older.session');
		await using node = new PostgresInfoSessionManager(server.url, { schema: 'older' });
		await assert.rejects(node.read('s'), unavailable);
		const [tried] = await until('the node waits for its next attempt', async () => {
			const rows = await server.query<{ pid: number; query: string }>(
				`select pid, query from pg_stat_activity where application_name = 'holdfast' and query = 'rollback'`,
			);
			return rows.length > 0 && rows;
		});
		assert.notEqual(tried, undefined);
		// With a lock request of the migration in front of it, it would wait until the reader is done.
		assert.equal((await running.query('select from older.session')).rowCount, 0);
		await reader.query('commit');
		await until('the node works', () => node.create(sampleRecord('s')), 20_000);
		const applied = await server.query('select id from older.migration order by id');
		assert.deepEqual(
			applied,
			migrations.map(({ id }) => ({ id })),
		);
	}, 40_000);

	it('is not held up by a schema that is there already and that the role may not make', async () => {
		await server.query(`create role owner login; revoke create on database postgres from public;
			create schema given authorization owner`);
		await using info = new PostgresInfoSessionManager(server.url.replace('postgres@', 'owner@'), { schema: 'given' });
		const errors = errorsOf(info);
		await until('the manager works', () => info.create(sampleRecord('s')), 20_000);
		assert.deepEqual(errors, []);
	}, 30_000);
});

describe('a role without the rights that a manager needs', () => {
	it('is refused before it serves anything, with what it lacks, until it has them', async () => {
		await server.query(`${postgresSchemaSql('rights')} create role reader login;
			grant usage on schema rights to reader; grant select on all tables in schema rights to reader`);
		const url = server.url.replace('postgres@', 'reader@');
		await using info = new PostgresInfoSessionManager(url, { schema: 'rights' });
		const conversations = new PostgresConversationStore(url, { schema: 'rights' });
		const isRead = (reading: unknown) =>
			Promise.resolve(reading).then(
				() => true,
				() => false,
			);
		const errors = errorsOf(info);
		// A node asks this to find out whether it is ready.
		await assert.rejects(async () => info.read('s'), unavailable);
		const lacking =
			/^The role reader lacks rights in the schema rights: counter \(insert, update, delete\), .+ and \d+ more\. /;
		assert.match(errors[0] ?? '', lacking);
		// Conversations are no concern of a manager of sessions, nor sessions of a store of conversations.
		await server.query('grant insert, update, delete on all tables in schema rights to reader');
		await server.query('revoke insert on rights.message from reader');
		await until('the manager works', () => info.create(sampleRecord('s')), 20_000);
		assert.equal(await isRead(conversations.read('c')), false);
		await server.query('grant insert on rights.message to reader; revoke insert on rights.session from reader');
		await until('conversations work', async () => await isRead(conversations.read('c')), 20_000);
		// What is taken away later is found out with the first write.
		await assert.rejects(async () => info.create(sampleRecord('t')), unavailable);
		await until('the node is not ready any more', async () => !(await isRead(info.read('s'))), 20_000);
		await conversations.close();
	}, 60_000);
});

describe('what is acknowledged', () => {
	it('is on the disk where that is asked for, whatever is set for the role', async () => {
		await server.query('create role hasty superuser login; alter role hasty set synchronous_commit = off');
		const client = await server.client();
		const url = server.url.replace('postgres@', 'hasty@');
		const commits = async (manager: { close(): unknown }, work: () => Promise<unknown>) => {
			await client.query(`create table if not exists seen (name text, value text);
				create or replace function note() returns trigger language plpgsql as $$ begin
					insert into public.seen values (tg_table_name, current_setting('synchronous_commit')); return null; end $$;
				truncate seen`);
			await until('it works', work);
			const { rows } = await client.query<{ value: string }>('select distinct value from seen');
			await manager.close();
			return rows.map(({ value }) => value);
		};
		await server.query(`${postgresSchemaSql('strict')}
			create function public.note() returns trigger language plpgsql as 'begin return null; end';
			create trigger noted after insert on strict.session execute function public.note();
			create trigger noted after insert on strict.conversation execute function public.note()`);
		const strict = new PostgresInfoSessionManager(url, { schema: 'strict', durability: 'strict' });
		assert.deepEqual(await commits(strict, () => strict.create(sampleRecord('s'))), ['on']);
		const fast = new PostgresInfoSessionManager(url, { schema: 'strict' });
		assert.deepEqual(await commits(fast, () => fast.create(sampleRecord('t'))), ['off']);
	}, 30_000);

	it('cannot be where a pooler hands out connections of a role that does not wait: that is refused', async () => {
		await server.query('create role pooled superuser login; alter role pooled set synchronous_commit = off');
		const url = server.url.replace('postgres@', 'pooled@');
		const options = { schema: 'pooled', prepare: false } as const;
		await using strict = new PostgresInfoSessionManager(url, { ...options, durability: 'strict' });
		const errors = errorsOf(strict);
		await assert.rejects(strict.read('s'), unavailable);
		assert.match(errors[0] ?? '', /^synchronous_commit is off for this role/);
		const conversations = new PostgresConversationStore(url, options);
		await assert.rejects(conversations.read('c'), { code: 'unavailable' });
		await conversations.close();
		await using fast = new PostgresInfoSessionManager(url, options);
		await until('it works', () => fast.create(sampleRecord('s')), 20_000);
	}, 30_000);
});

it('a database that does not take every text is refused, with the reason', async () => {
	await server.query(`create database latin encoding 'LATIN1' template template0`);
	await using info = new PostgresInfoSessionManager(`${server.url.slice(0, server.url.lastIndexOf('/'))}/latin`);
	const errors = errorsOf(info);
	await assert.rejects(info.read('s'), unavailable);
	assert.match(errors[0] ?? '', /^The database has the encoding LATIN1, .*: use UTF8\.$/);
});
