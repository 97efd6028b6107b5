import { postgresSchemaSql } from '@holdfast/session-manager-postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { PostgresServer } from '../../../test/support/postgres/postgres-server.ts';
import { streamStatements } from '../src/sql/stream-statements.ts';
import { AppendBatch } from '../src/streams/append-batch.ts';

/** How many streams there are once the plan was made. */
const STREAMS = 1_000;
/** How many of them one statement writes to. */
const WRITTEN = 20;

describe('a plan that was made while the tables were empty', () => {
	let server: PostgresServer;
	beforeAll(async () => {
		server = await PostgresServer.create();
		await server.query(postgresSchemaSql());
		// Nobody tells the planner how large the table has become.
		await server.query('alter table holdfast.stream set (autovacuum_enabled = off)');
	});
	beforeEach(() => server.query('truncate holdfast.stream, holdfast.event'));
	afterAll(() => server.dispose());

	it.each(['session streams', 'request streams', 'one stream after another'])(
		'reads no other stream when it appends to %s',
		async (kind) => {
			const client = await server.client();
			const { append: ofMany, appendEvent: ofOne } = streamStatements('"holdfast"');
			const append = async (ids: readonly string[]) => {
				const batch = new AppendBatch(ids.map((id) => ({ ids: [id], data: 'x', bytes: 1 })));
				const lone = batch.loneValues();
				const { name, text } = lone === undefined ? ofMany : ofOne;
				const values = [...(lone ?? batch.values()), 'all', 1, 1_000, 1_000_000, 60_000_000];
				await client.query({ name: String(name), text, values });
			};
			const appendTo = async (ids: readonly string[]) => {
				if (!kind.startsWith('one ')) return append(ids);
				for (const id of ids) await append([id]);
			};
			const read = async () => {
				await client.query('select pg_stat_force_next_flush()');
				const [row] = await server.query<{ count: string }>(
					`select sum(seq_tup_read)
					+ sum((select sum(idx_tup_read) from pg_stat_user_indexes i where i.relid = t.relid)) as count
					from pg_stat_user_tables t where relname = 'stream'`,
				);
				return Number(row?.count);
			};
			const ids = Array.from({ length: STREAMS }, (_, n) => (kind.includes('request') ? `s${n} call` : `s${n}`));
			await appendTo(['first', 'second', 'first call']);
			for (let from = 0; from < STREAMS; from += 500) await appendTo(ids.slice(from, from + 500));
			const before = await read();
			for (let round = 0; round < 10; round++) await appendTo(ids.slice(round * WRITTEN, (round + 1) * WRITTEN));
			const rows = ((await read()) - before) / (10 * WRITTEN);
			expect(rows).toBeGreaterThan(0);
			// Some of them in several versions.
			expect(rows).toBeLessThan(20);
		},
	);

	it('is not compiled for ways that are off, which count as dear', async () => {
		const rows = await server.query<{ name: string; settings: string[] }>(
			`select proname as name, proconfig as settings from pg_proc
			where pronamespace = 'holdfast'::regnamespace and proconfig is not null order by 1`,
		);
		const dear = rows.filter(({ settings }) => settings.some((setting) => /^enable_.*=off$/.test(setting)));
		expect(dear.map(({ name }) => name)).toEqual([
			'append',
			'append_event',
			'forget',
			'purge_streams',
			'read_broadcasts',
			'take_over',
			'trim',
		]);
		for (const { name, settings } of dear) expect(settings, name).toContain('jit=off');
	});
});
