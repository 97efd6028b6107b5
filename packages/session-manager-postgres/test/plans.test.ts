import { postgresSchemaSql } from '@holdfast/session-manager-postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { PostgresServer } from '../../../test/support/postgres/postgres-server.ts';
import { AppendBatch } from '../src/append-batch.ts';
import { streamStatements } from '../src/sql/stream-statements.ts';

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

	it.each(['session streams', 'request streams'])('reads no other stream when it appends to %s', async (kind) => {
		const client = await server.client();
		const { text } = streamStatements('"holdfast"').append;
		const append = async (ids: readonly string[]) => {
			const batch = new AppendBatch(ids.map((id) => ({ ids: [id], data: 'x', bytes: 1 })));
			await client.query({ name: 'append', text, values: [...batch.values(), 'all', 1, 1_000, 1_000_000, 60_000_000] });
		};
		const read = async () => {
			await client.query('select pg_stat_force_next_flush()');
			const [row] = await server.query<{ count: string }>(
				`select sum(seq_tup_read) + sum((select sum(idx_tup_read) from pg_stat_user_indexes i where i.relid = t.relid))
				as count from pg_stat_user_tables t where relname = 'stream'`,
			);
			return Number(row?.count);
		};
		const ids = Array.from({ length: STREAMS }, (_, n) => (kind === 'session streams' ? `s${n}` : `s${n} call`));
		await append(['first']);
		for (let from = 0; from < STREAMS; from += 500) await append(ids.slice(from, from + 500));
		const before = await read();
		for (let round = 0; round < 10; round++) await append(ids.slice(round * WRITTEN, (round + 1) * WRITTEN));
		const rows = ((await read()) - before) / (10 * WRITTEN);
		expect(rows).toBeGreaterThan(0);
		// Some of them in several versions.
		expect(rows).toBeLessThan(20);
	});
});
