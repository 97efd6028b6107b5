import assert from 'node:assert/strict';
import {
	PostgresInfoSessionManager,
	postgresSchemaSql,
	postgresSessionManager,
} from '@holdfast/session-manager-postgres';
import { PostgresConversationStore } from '@holdfast/session-manager-postgres/conversations';
import { open, sampleRecord, sse } from '@holdfast/session-manager-test-kit/own-cases';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { PostgresServer } from '../../../test/support/postgres/postgres-server.ts';
import { until } from '../../../test/support/until.ts';
import { sampleHead } from '../../conversations/test/support/samples.ts';
import { migrations } from '../src/sql/migrations.ts';

let server: PostgresServer;
beforeAll(async () => {
	server = await PostgresServer.create();
});
afterAll(() => server?.dispose());

/** Waits for a manager that makes its schema meanwhile. */
async function works(info: PostgresInfoSessionManager, id: string): Promise<void> {
	await until('the manager works', () => info.create(sampleRecord(id)), 20_000);
}

describe('the schema', () => {
	it('is made once by eight nodes that start together on an empty database', async () => {
		const nodes = Array.from({ length: 8 }, () => postgresSessionManager(server.url, { schema: 'eight' }));
		const errors: Error[] = [];
		for (const { streams, info } of nodes) streams.onerror = info.onerror = (error) => errors.push(error);
		try {
			await Promise.all(nodes.map(({ info }, index) => works(info, `s${index}`)));
			for (const { streams } of nodes) await until('streams work', async () => !(await streams.has('s0')), 20_000);
			assert.deepEqual(errors, []);
			assert.deepEqual(
				await server.query('select id from eight.migration order by id'),
				migrations.map(({ id }) => ({ id })),
			);
			for (const { info } of nodes) assert.equal((await info.scan(undefined, 100)).records.length, 8);
		} finally {
			await Promise.all(nodes.map((node) => node.close()));
		}
	});

	it('is what an administrator makes of the SQL, word for word', async () => {
		await server.query(postgresSchemaSql('by_hand'));
		await using node = postgresSessionManager(server.url, { schema: 'by_hand', migrate: false });
		await works(node.info, 's');
		assert.equal(postgresSchemaSql('by_hand', migrations.length + 1), '');
		const described = (schema: string) =>
			server.query(
				`select table_name, column_name, data_type from information_schema.columns where table_schema = $1 order by 1, 2`,
				[schema],
			);
		assert.deepEqual(await described('by_hand'), await described('eight'));
	});

	it('is not made where that is the work of an administrator, which is said', async () => {
		await using info = new PostgresInfoSessionManager(server.url, { schema: 'absent', migrate: false });
		const errors: Error[] = [];
		info.onerror = (error) => errors.push(error);
		await assert.rejects(info.read('s'), { code: 'unavailable' });
		assert.match(errors[0]?.message ?? '', /^The schema absent lacks migrations: run what postgresSchemaSql returns/);
		assert.deepEqual(await server.query(`select 1 from pg_namespace where nspname = 'absent'`), []);
	});

	it('of a newer version is used, unless that says that older ones cannot', async () => {
		await server.query(postgresSchemaSql('newer'));
		await server.query('insert into newer.migration (id, breaking) values (1001, false)');
		await using compatible = new PostgresInfoSessionManager(server.url, { schema: 'newer' });
		await works(compatible, 's');
		await server.query('insert into newer.migration (id, breaking) values (1002, true)');
		await using incompatible = new PostgresInfoSessionManager(server.url, { schema: 'newer' });
		const errors: Error[] = [];
		incompatible.onerror = (error) => errors.push(error);
		await assert.rejects(incompatible.read('s'), { code: 'unavailable' });
		assert.match(errors[0]?.message ?? '', /migration 1002, with which this version of Holdfast cannot work: upgrade/);
	});

	it('that was dropped under open managers is made again', async () => {
		await using node = postgresSessionManager(server.url, { schema: 'dropped' });
		await works(node.info, 's');
		await server.query('drop schema dropped cascade');
		await works(node.info, 's');
		await until('streams work again', async () => {
			await node.streams.send(['s'], sse(1));
			return true;
		});
		assert.deepEqual(await (await open(node.streams, 's')).hears(1), ['1']);
	});

	it('of the first version is brought up to date with what it holds: tasks were kept as sessions', async () => {
		const schema = '"first"';
		await server.query(`create schema first; create table first.migration (id int primary key, breaking boolean);
			insert into first.migration values (1, true); ${migrations[0]?.sql(schema)}`);
		const create = (id: string, principal: string | null, owner: string) =>
			server.query(
				`select first.create_session($1, sha256(convert_to($2, 'UTF8')), $2, 'test 1', '{}', '{}', '{}', '2026-07-28',
				null, null, 1, 1, null, null, null, $3, $2 is not null, 1, null, 0)`,
				[id, principal, Buffer.from(owner)],
			);
		await create('s1', 'alice', 'alice');
		await create('task 1', '\u0001"task\\nalice"', 'task alice');
		await create('task 2', null, 'anyone');
		await create('s2', null, 'anyone');
		await using info = new PostgresInfoSessionManager(server.url, { schema: 'first', maxSessions: 3 });
		await works(info, 's3');
		const { records } = await info.scan(undefined, 10);
		assert.deepEqual(
			records.map(({ id }) => id),
			['s1', 's2', 's3'],
		);
		assert.equal((await server.query('select 1 from first.sessions')).length, 3);
		const task = await info.read('task 1');
		assert.deepEqual([task?.kind, task?.principal], ['task', 'alice']);
		assert.deepEqual(await info.sessionsOf('alice', 'task'), ['task 1']);
		assert.equal((await info.read('task 2'))?.kind, 'task');
		await assert.rejects(async () => info.create(sampleRecord('s4')), { code: 'limit' });
		await info.create(sampleRecord('task 3', { kind: 'task' }));
		await assert.rejects(async () => info.create(sampleRecord('task 4', { kind: 'task' })), { code: 'limit' });
		await info.delete('task 2');
		assert.equal(await info.create(sampleRecord('task 4', { kind: 'task' })), true);
		assert.deepEqual(await server.query('select sessions::int, records::int from first.counter'), [
			{ sessions: 3, records: 3 },
		]);
	});

	it('of a version that counted from 1 for each conversation is brought up to date with what it holds', async () => {
		const schema = '"counted"';
		const before = migrations.filter(({ id }) => id <= 4);
		await server.query(`create schema counted; create table counted.migration (id int primary key, breaking boolean);
			${before.map(({ id, sql }) => `${sql(schema)}; insert into counted.migration values (${id}, false);`).join('')}`);
		const head = sampleHead('c');
		await server.query(
			`select counted.create_conversation(sha256('c'), 'c', sha256('alice'), 'active', $1, 1, '{}', '{}', null, null),
			counted.set_context(sha256('c'), sha256('k'), 'k', null, '"old"', 5, 1, null, '', null)`,
			[JSON.stringify(head)],
		);
		await using store = new PostgresConversationStore(server.url, { schema: 'counted' });
		const stored = await until('the store works', () => store.read('c'), 20_000);
		assert.deepEqual([stored.version, stored.head.title], ['1', head.title]);
		assert.equal(await store.write('c', '1', { ...head, title: 'new' }), true);
		assert.equal((await store.read('c'))?.version, '2');
		assert.deepEqual(await store.setContext('c', 'k', '1', { value: 'new', at: 2 }), { version: '2', archived: [] });
		await store.delete('c');
		await store.create(head);
		assert.equal(await store.write('c', '1', head), false);
	});

	it('of a version that kept no leases keeps those that last, for nodes of that version, too', async () => {
		const schema = '"unlogged"';
		const before = migrations.filter(({ id }) => id <= 9);
		await server.query(`create schema unlogged;
			create table unlogged.migration (id int primary key, breaking boolean);
			${before.map(({ id, sql }) => `${sql(schema)}; insert into unlogged.migration values (${id}, false);`).join('')}
			create role older login; grant usage on schema unlogged to older;
			grant select, insert, update, delete on all tables in schema unlogged to older`);
		const older = await server.client({ connectionString: server.url.replace('postgres@', 'older@') });
		const acquire = async (name: string, holder: string, ms = 3_600_000) => {
			const text = `insert into unlogged.lease as l (name, holder, until)
				values ($1, $2, unlogged.now_ms() + $3::float8)
				on conflict (name) do update set holder = excluded.holder, until = excluded.until
				where l.holder = excluded.holder or l.until <= unlogged.now_ms()`;
			return (await older.query({ name: 'acquire-lease', text, values: [name, holder, ms] })).rowCount === 1;
		};
		assert.deepEqual([await acquire('used', 'older'), await acquire('over', 'older', 0)], [true, true]);
		await using info = new PostgresInfoSessionManager(server.url, { schema: 'unlogged' });
		await works(info, 's');
		const listed = `select name, relpersistence from unlogged.lease l join pg_class c on c.oid = l.tableoid`;
		assert.deepEqual(await server.query(listed), [{ name: 'used', relpersistence: 'p' }]);
		assert.equal(await info.acquireLease('used', 'newer', 3_600_000), false);
		assert.equal(await info.acquireLease('newer', 'newer', 3_600_000), true);
		assert.deepEqual(
			[await acquire('used', 'another'), await acquire('newer', 'another'), await acquire('used', 'older')],
			[false, false, true],
		);
	});

	it('takes no name that would have to be escaped', () => {
		for (const schema of ['', 'a"b', "a'b", 'a$b', 'a\0b', 'x'.repeat(64), 'a;b'])
			assert.throws(() => new PostgresInfoSessionManager(server.url, { schema }), TypeError);
	});
});

describe('a role with no more rights than the README gives it', () => {
	it('is enough for both managers, expiry included', async () => {
		await server.query(postgresSchemaSql('least'));
		await server.query(`create role app login;
			grant usage on schema least to app;
			grant select, insert, update, delete on all tables in schema least to app;
			grant truncate on least.event_0, least.event_1, least.event_2, least.event_3 to app;
			grant execute on all functions in schema least to app`);
		const url = server.url.replace('postgres@', 'app@');
		await using node = postgresSessionManager(url, { schema: 'least', history: { maxAgeMs: 400 } });
		const errors: Error[] = [];
		node.streams.onerror = node.info.onerror = (error) => errors.push(error);
		await works(node.info, 's');
		await node.info.create(sampleRecord('expires', { endsAt: Date.now() + 50 }));
		await node.info.writeState('s', 'key', undefined, 's1');
		const client = await open(node.streams, 's');
		await node.streams.send(['s', 's 1', ' address'], sse(1));
		await node.streams.send(undefined, sse(2));
		assert.deepEqual(await client.hears(2), ['1', '2']);
		await until('the session has expired', async () => (await node.info.removeExpired(100)) === 1);
		const size = `select sum(pg_relation_size(c.oid))::int as size from pg_class c where c.oid in (
			select inhrelid from pg_inherits where inhparent = 'least.event'::regclass)`;
		await until('the events were truncated', async () => (await server.query(size))[0]?.['size'] === 0, 20_000);
		await node.streams.delete('s');
		assert.deepEqual(errors, []);
	});

	it('may not make or change the schema', async () => {
		const client = new Client({ connectionString: server.url.replace('postgres@', 'app@') });
		await client.connect();
		try {
			await assert.rejects(client.query('create table least.own (id int)'), { code: '42501' });
			await assert.rejects(client.query('drop table least.session'), { code: '42501' });
		} finally {
			await client.end();
		}
	});
});
