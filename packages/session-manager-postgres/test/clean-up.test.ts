import assert from 'node:assert/strict';
import {
	type PostgresSessionManager,
	PostgresStreamSessionManager,
	postgresSchemaSql,
	postgresSessionManager,
} from '@holdfast/session-manager-postgres';
import { open, sampleRecord, sse } from '@holdfast/session-manager-test-kit/own-cases';
import { afterAll, afterEach, beforeAll, beforeEach, describe, it } from 'vitest';
import { PostgresServer } from '../../../test/support/postgres/postgres-server.ts';
import { until } from '../../../test/support/until.ts';

/**
 * How many sessions come and go; `SESSIONS=20000 npx vitest run packages/session-manager-postgres/test/clean-up` takes
 * some minutes and wants a quiet machine, because it counts more exactly, too.
 */
const SESSIONS = Number(process.env['SESSIONS'] ?? 900);
/** How many of them live at the same time, a third for each way to go. */
const WAVE = 900;
const waves = Math.ceil(SESSIONS / WAVE);

let server: PostgresServer;
let node: PostgresSessionManager;
beforeAll(async () => {
	server = await PostgresServer.create();
	await server.query(postgresSchemaSql());
});
afterAll(() => server?.dispose());
beforeEach(async () => {
	node = postgresSessionManager(server.url, { history: { maxAgeMs: 500 } });
	await until('it is connected', async () => !(await node.streams.has('s')) && !(await node.info.read('s')));
});
afterEach(() => node.close());

async function count(table: string): Promise<number> {
	return Number((await server.query(`select count(*) as n from holdfast.${table}`))[0]?.['n']);
}

/** A few at a time, as they come in life. */
async function each(ids: readonly string[], work: (id: string) => Promise<unknown>): Promise<void> {
	for (let at = 0; at < ids.length; at += 20) await Promise.all(ids.slice(at, at + 20).map(work));
}

async function come(ids: readonly string[], lives: { endsAt?: number } = {}): Promise<void> {
	await each(ids, async (id) => {
		await node.info.create(sampleRecord(id, { principal: 'alice', ...lives }));
		await node.info.addSubscription(id, 'file:///a');
		await node.info.writeState(id, 'key', undefined, 's1');
		await node.streams.send([id, `${id} 1`], sse('x'.repeat(200)));
	});
}

/** The bytes of all tables and indexes, or of the events alone. */
async function bytesOf(what: 'all' | 'events'): Promise<number> {
	const tables =
		what === 'all'
			? `from pg_class c where c.relnamespace = 'holdfast'::regnamespace and c.relkind = 'r'`
			: `from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'holdfast.event'::regclass`;
	const size = what === 'all' ? 'pg_total_relation_size' : 'pg_relation_size';
	const [row] = await server.query<{ bytes: number }>(`select sum(${size}(c.oid))::int as bytes ${tables}`);
	return row?.bytes ?? Number.NaN;
}

/** Sessions come, and go by DELETE, by expiry, and because their clients do not come back. */
async function comeAndGo(wave: number): Promise<void> {
	const ids = (how: string) => Array.from({ length: WAVE / 3 }, (_, n) => `${how}-${wave}-${n}`);
	await come(ids('deleted'));
	await each(ids('deleted'), (id) => Promise.all([node.info.end(id, Date.now(), 'done'), node.streams.delete(id)]));
	await come(ids('expired'), { endsAt: Date.now() + 2_000 });
	await each(ids('expired'), (id) => node.streams.expireIn(id, 500));
	await come(ids('gone'), { endsAt: Date.now() + 2_000 });
	for (const id of ids('gone').slice(0, 20)) (await open(node.streams, id)).leave();
	await until(
		'the sessions are gone',
		async () => {
			await node.info.removeExpired(1_000);
			return (await count('session')) === 0;
		},
		20_000,
	);
	for (const table of ['subscription', 'state', 'owner']) assert.equal(await count(table), 0, table);
	assert.equal((await server.query('select sessions from holdfast.counter'))[0]?.['sessions'], '0');
	const streams = () => server.query(`select from holdfast.stream where session <> ' '`);
	await until('their streams are gone', async () => (await streams()).length === 0, 20_000);
	await until('their events are gone', async () => (await count('event')) === 0, 20_000);
	await until('their files are empty', async () => (await bytesOf('events')) === 0, 20_000);
}

describe('sessions that come and go leave nothing', () => {
	it(
		`${waves * WAVE} of them, by DELETE, expiry, and the end of their clients`,
		async () => {
			const sizes: number[] = [];
			for (let wave = 1; wave <= waves; wave++) {
				await comeAndGo(wave);
				sizes.push(await bytesOf('all'));
			}
			// What vacuum has not come to yet is there again with the next ones, but no more of it.
			const [first = 0] = sizes;
			assert.ok(Math.max(...sizes) <= 2 * first, `The files have ${sizes} bytes.`);
		},
		60_000 + waves * 30_000,
	);

	it('and the counters are right again after somebody removed rows by hand', async () => {
		await come(['a', 'b', 'c']);
		await server.query(`delete from holdfast.session where id = 'b'`);
		assert.equal(await node.info.removeExpired(10), 0);
		for (const table of ['counter', 'owner'])
			assert.equal((await server.query(`select sessions from holdfast.${table}`))[0]?.['sessions'], '2', table);
		await Promise.all(['a', 'b', 'c'].flatMap((id) => [node.info.delete(id), node.streams.delete(id)]));
	});
});

describe('a sweep', () => {
	it('is done with streams that are held, however briefly events are kept', async () => {
		await using streams = new PostgresStreamSessionManager(server.url, { history: { maxAgeMs: 0 } });
		await open(streams, 'held');
		await server.query(
			`insert into holdfast.stream (session, name, newest, dropped, fresh_from, token, node, life, writer, since,
				left_at, last, reap_at)
			select 'held-' || n, '', newest, dropped, fresh_from, token, node, life, writer, since, left_at, last, n
			from holdfast.stream, generate_series(1, 1200) n where session = 'held'`,
		);
		const dueAt = async () => {
			const [row] = await server.query<{ at: string }>(`select min(reap_at) as at from holdfast.stream`);
			return Number(row?.at);
		};
		const written = async () => {
			const [row] = await server.query<{ id: string }>('select pg_snapshot_xmax(pg_current_snapshot()) as id');
			return Number(row?.id);
		};
		await until('they are swept', async () => (await dueAt()) > 1e6);
		const [begun, before] = [await dueAt(), await written()];
		await until('two seconds have passed for the sweeper', async () => (await dueAt()) >= begun + 2e6);
		assert.ok((await written()) - before < 20);
		await server.query(`delete from holdfast.stream where session like 'held%'`);
	});
});

describe('updates', () => {
	// How many it is depends on what else runs; without room on the pages it would be none.
	it('stay on their page, nearly all', async () => {
		await node.close();
		node = postgresSessionManager(server.url);
		await until('it is connected', async () => !(await node.streams.has('s')) && !(await node.info.read('s')));
		const ids = Array.from({ length: 50 }, (_, n) => `hot-${n}`);
		await come(ids);
		await server.query('select pg_stat_reset()');
		for (let round = 0; round < 120; round++) {
			await Promise.all(
				ids.flatMap((id) => [node.info.touch(id, Date.now() + round), node.streams.send([id], sse(round))]),
			);
		}
		// What a connection did is counted when it has been idle for a while, or at its end.
		await node.close();
		const rows = await until('the updates are counted', async () => {
			const counted = await server.query<{ relname: string; all: number; hot: number }>(
				`select relname, n_tup_upd::int as all, n_tup_hot_upd::int as hot from pg_stat_user_tables
				where relname in ('session', 'stream')`,
			);
			return counted.every((row) => row.all >= 5_000) && counted;
		});
		for (const { relname, all, hot } of rows)
			assert.ok(hot / all > (waves > 1 ? 0.99 : 0.9), `${relname}: ${hot} of ${all}`);
	});
});

describe('the view for operators', () => {
	it('shows each session with a short hash in place of its id', async () => {
		await node.info.create(
			sampleRecord('secret', {
				principal: 'https://issuer.example alice',
				initializeParams: { clientInfo: { name: 'inspector', version: '1.2' }, capabilities: {} },
				protocolVersion: '2025-11-25',
				idleTtlMs: 60_000,
				lastUsedAt: Date.now(),
			}),
		);
		await open(node.streams, 'secret');
		const [row] = await server.query(`select * from holdfast.sessions where client like 'inspector%'`);
		assert.match(String(row?.['session']), /^[0-9a-f]{12}$/);
		assert.match(String(row?.['stream_node']), /:\d+:/);
		assert.ok(row?.['expires'] instanceof Date && row['expires'].getTime() > Date.now());
		assert.deepEqual(
			[row['principal'], row['client'], row['revision'], row['status']],
			['https://issuer.example alice', 'inspector 1.2', '2025-11-25', 'active'],
		);
		assert.equal(JSON.stringify(row).includes('secret'), false);
	});
});

describe('the ring of events', () => {
	/** Events of 200 bytes and the rows of their sessions, as if they had been appended just now. */
	async function haveEvents(sessions: number, events: number, endedAt = 'null'): Promise<void> {
		await server.query('truncate holdfast.event, holdfast.stream');
		await server.query(
			`with now as (select holdfast.now_us() as us), made as (
				insert into holdfast.stream (session, name, newest, dropped, fresh_from, left_at, last, reap_at, events, bytes,
					ends_at)
				select 's' || n, '', us, us - ${events}, us - ${events}, us, us, us, ${events}, ${events} * 200, ${endedAt}
				from now, generate_series(1, ${sessions}) n
			)
			insert into holdfast.event (slot, session, off, name, ends, data)
			select 0, 's' || n, us - ${events} + e, '', false, convert_to(repeat('x', 200), 'UTF8')
			from now, generate_series(1, ${sessions}) n, generate_series(1, ${events}) e`,
		);
	}

	it('is truncated as soon as all of a span of time is too old, and not before', async () => {
		const [maxAge, span] = [3_600_000_000, 1_800_000_000];
		await server.query('truncate holdfast.event');
		// One at the end of the last span that is over for so long, and one of the next.
		await server.query(
			`with made as (
				select k, age from (select (holdfast.now_us() - ${maxAge}) / ${span} as now) n
				cross join lateral (values (n.now - 1, 'old'), (n.now, 'young')) e(k, age)
			), said as (
				update holdfast.ring r set until = (k + 1) * ${span} from made where r.slot = k % 4
			)
			insert into holdfast.event (slot, session, off, name, ends, data)
			select k % 4, 's', k * ${span} + ${span - 1}, age, false, '' from made`,
		);
		const truncate = async () => (await server.query(`select holdfast.truncate_ring(${maxAge}) as n`))[0]?.['n'];
		assert.equal(await truncate(), 1);
		assert.deepEqual(await server.query('select name from holdfast.event'), [{ name: 'young' }]);
		assert.equal(await truncate(), 0);
	});

	it('is not truncated under an event that is being written', async () => {
		await node.close();
		await server.query('truncate holdfast.event');
		await server.query('update holdfast.ring set until = 1');
		const [writer, sweeper] = [await server.client(), await server.client()];
		await writer.query('begin');
		await writer.query(`select holdfast.append_event('s', '', false, '', 0, '', 1, 1000, 1000000, 60000000)`);
		const truncated = sweeper.query(`select holdfast.truncate_ring(60000000, '20s') as n`);
		await until('the sweeper waits', async () => {
			const waits = await server.query(`select from pg_locks where not granted and mode = 'AccessExclusiveLock'`);
			return waits.length > 0;
		});
		await writer.query('commit');
		assert.deepEqual((await truncated).rows, [{ n: 3 }]);
		assert.equal(await count('event'), 1);
	});

	it('is not trimmed for very many sessions by one statement, though for all of them in time', async () => {
		await node.close();
		node = postgresSessionManager(server.url, { history: { maxEvents: 100 } });
		await until('it is connected', async () => !(await node.streams.has('s')));
		await haveEvents(200, 125);
		const ids = Array.from({ length: 200 }, (_, n) => `s${n + 1}`);
		const events = async () => {
			const rows = await server.query<{ events: number }>('select events from holdfast.stream order by events');
			return rows.map((row) => row.events);
		};
		await node.streams.send(ids, sse('hello'));
		const trimmed = (await events()).filter((count) => count <= 100).length;
		assert.ok(trimmed > 0 && trimmed <= 17, `${trimmed} sessions were trimmed at once.`);
		let most = 0;
		for (let round = 0; round < 30; round++) {
			await node.streams.send(ids, sse('hello'));
			most = Math.max(most, ...(await events()));
		}
		assert.ok(most <= 150, `A session kept ${most} events.`);
		assert.equal(
			await count('event'),
			(await events()).reduce((sum, count) => sum + count),
		);
	});

	it('is swept in steps that do not take long where many sessions with full histories ended at once', async () => {
		await node.close();
		await haveEvents(30, 500, '1');
		assert.deepEqual(await server.query('select holdfast.sweep_streams(500, 60000000) as more'), [{ more: true }]);
		const left = await count('event');
		assert.ok(left <= 13_000 && left >= 12_000, `${left} events are left.`);
		assert.equal((await count('stream')) * 500, left);
	});
});

it('the broadcasts stay, however long there was none: nobody is told of a loss that was none', async () => {
	await server.query('truncate holdfast.event, holdfast.stream');
	await server.query(`insert into holdfast.stream (session, name, newest, dropped, fresh_from, left_at, last, reap_at)
		select session, '', 1, 0, 0, 1, 1, 1 from (values (' '), ('s')) as t (session)`);
	await server.query('select holdfast.sweep_streams(500, 60000000)');
	assert.deepEqual(await server.query('select session, newest::int from holdfast.stream'), [
		{ session: ' ', newest: 1 },
	]);
});
