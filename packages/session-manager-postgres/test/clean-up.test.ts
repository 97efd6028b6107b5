import assert from 'node:assert/strict';
import {
	type PostgresSessionManager,
	postgresSchemaSql,
	postgresSessionManager,
} from '@holdfast/session-manager-postgres';
import { open, sampleRecord, sse } from '@holdfast/session-manager-test-kit/own-cases';
import { afterAll, afterEach, beforeAll, beforeEach, describe, it } from 'vitest';
import { PostgresServer } from '../../../test/support/postgres/postgres-server.ts';
import { until } from '../../../test/support/until.ts';

/** How many sessions come and go in each way. */
const SESSIONS = 300;

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

describe('sessions that come and go leave nothing', () => {
	it('after DELETE, expiry, and the end of their clients', async () => {
		const ids = (how: string) => Array.from({ length: SESSIONS }, (_, n) => `${how}-${n}`);
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
		await until('their streams are gone', async () => (await count('stream')) === 0, 20_000);
		await until('their events are gone', async () => (await count('event')) === 0, 20_000);
		const bytes = async () => {
			const [size] = await server.query(`select sum(pg_relation_size(inhrelid))::int as bytes from pg_inherits
				where inhparent = 'holdfast.event'::regclass`);
			return size?.['bytes'];
		};
		await until('their files are empty', async () => (await bytes()) === 0, 20_000);
	}, 90_000);

	it('and the counters are right again after somebody removed rows by hand', async () => {
		await come(['a', 'b', 'c']);
		await server.query(`delete from holdfast.session where id = 'b'`);
		assert.equal(await node.info.removeExpired(10), 0);
		for (const table of ['counter', 'owner'])
			assert.equal((await server.query(`select sessions from holdfast.${table}`))[0]?.['sessions'], '2', table);
		await Promise.all(['a', 'b', 'c'].flatMap((id) => [node.info.delete(id), node.streams.delete(id)]));
	});
});

describe('updates', () => {
	// A quiet machine shows more than 99 of 100. How many it is depends on what else runs; without room on the pages it
	// would be none.
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
		for (const { relname, all, hot } of rows) assert.ok(hot / all > 0.9, `${relname}: ${hot} of ${all}`);
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
