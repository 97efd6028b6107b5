import { Conversations } from '@holdfast/conversations';
import { postgresSchemaSql } from '@holdfast/session-manager-postgres';
import { PostgresConversationStore } from '@holdfast/session-manager-postgres/conversations';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { PostgresServer } from '../../../test/support/postgres/postgres-server.ts';
import { until } from '../../../test/support/until.ts';
import { searchStatement } from '../src/sql/conversation-search.ts';

describe('of PostgreSQL', () => {
	let server: PostgresServer;
	let conversations: Conversations;
	beforeAll(async () => {
		server = await PostgresServer.create();
		await server.query(postgresSchemaSql());
		const store = new PostgresConversationStore(server.url, { migrate: false });
		await until('it is connected', async () => (await store.read('nothing')) === undefined, 20_000);
		conversations = new Conversations(store, { sweepIntervalMs: 0 });
		await conversations.of('alice').create({ id: 'c', title: 'C' });
		await (await conversations.of('alice').open('c')).setMember('bob', 'writer');
	});
	afterAll(async () => {
		conversations?.close();
		await server?.dispose();
	});

	it.each(['alice', 'bob'])('a message of %s takes one statement and one commit', async (person) => {
		const transactions = async () => {
			const [row] = await server.query<{ id: string }>('select pg_current_xact_id() as id');
			return Number(row?.id);
		};
		const conversation = conversations.of(person).at('c');
		await conversation.addMessage({ role: 'user', content: 'the first' });
		const asked = vi.spyOn(pg.Client.prototype, 'query');
		const before = await transactions();
		asked.mockClear();
		for (let n = 0; n < 10; n++) await conversation.addMessage({ role: 'user', content: `message ${n}` });
		const names = asked.mock.calls.map(([query]) => (query as unknown as { name?: string }).name);
		asked.mockRestore();
		// Pings have no name.
		expect(names.filter((name) => name !== undefined)).toEqual(Array(10).fill('conversation-append_messages_as'));
		// Housekeeping of the server may have some of its own.
		expect((await transactions()) - before).toBeLessThan(20);
	});

	it('a search looks once for what others share, and sorts no texts', async () => {
		const { text } = searchStatement('"holdfast"', ['message', 'context', 'discovery'], {
			isOne: false,
			isOfPerson: true,
		});
		const client = await server.client();
		const values = [null, Buffer.alloc(32), `'a'`, `'a'`, 500, 4_000_000];
		const { rows } = await client.query<{ 'QUERY PLAN': string }>(`explain (verbose) ${text}`, values);
		const plan = rows.map((row) => row['QUERY PLAN']);
		expect(plan.filter((line) => / on holdfast\.member /.test(line))).toHaveLength(1);
		const sorts = plan.flatMap((line, index) => (/->\s+Sort /.test(line) ? [plan[index + 1] ?? ''] : []));
		expect(sorts.length).toBeGreaterThan(0);
		for (const output of sorts) expect(output).not.toMatch(/\b(said|value|words)(,|$)/);
	});
});
