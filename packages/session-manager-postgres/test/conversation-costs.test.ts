import { Conversations } from '@holdfast/conversations';
import type { SearchTerm } from '@holdfast/conversations/custom';
import { postgresSchemaSql } from '@holdfast/session-manager-postgres';
import { PostgresConversationStore } from '@holdfast/session-manager-postgres/conversations';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { PostgresServer } from '../../../test/support/postgres/postgres-server.ts';
import { until } from '../../../test/support/until.ts';
import { queryOf, queryOfOwner } from '../src/conversations/words.ts';
import { searchStatement } from '../src/sql/conversation-search.ts';
import { hashOf } from '../src/stored-text.ts';

const word = (text: string): SearchTerm => ({ words: [text], prefix: false });

describe('of PostgreSQL', () => {
	let server: PostgresServer;
	let conversations: Conversations;
	let store: PostgresConversationStore;
	beforeAll(async () => {
		server = await PostgresServer.create();
		await server.query(postgresSchemaSql());
		store = new PostgresConversationStore(server.url, { migrate: false });
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
		const plan = await planOf('verbose', [word('a')], 2_000);
		expect(plan.filter((line) => / on holdfast\.member /.test(line))).toHaveLength(1);
		const sorts = plan.flatMap((line, index) => (/->\s+Sort /.test(line) ? [plan[index + 1] ?? ''] : []));
		expect(sorts.length).toBeGreaterThan(0);
		for (const output of sorts) expect(output).not.toMatch(/\b(said|value|words)(,|$)/);
	});

	describe('of many messages of somebody', () => {
		const count = 3_000;
		beforeAll(async () => {
			await conversations.of('carol').create({ id: 'many', title: 'Many' });
			const messages = Array.from({ length: count }, (_, n) => ({
				role: 'user' as const,
				content: n === 1 ? 'everywhere once upon' : 'everywhere',
				at: n,
				by: 'carol',
			}));
			await store.append('many', messages);
			await server.query('vacuum analyze holdfast.message');
		}, 60_000);

		it('finds the newest of a word that is everywhere, and looks at no others', async () => {
			const found = await store.search({ terms: [word('everywhere')], principal: 'carol', limit: 1_000 });
			const numbers = found.map(({ number }) => number as number);
			expect([numbers.length, Math.min(...numbers)]).toEqual([1_000, count - 999]);
			const plan = await planOf('analyze', [word('everywhere')], 2_000);
			const newest = plan.findIndex((line) => line.includes('CTE newest_message'));
			const scan = plan.slice(newest).find((line) => line.includes('message_owner')) ?? '';
			expect(Number(/actual.* rows=(\d+)/.exec(scan)?.[1])).toBeLessThanOrEqual(501);
			const byWords = plan.filter((line) => line.includes('message_words'));
			expect(byWords.filter((line) => !line.includes('never executed'))).toEqual([]);
		});

		it.each<[string, SearchTerm[]]>([
			['a word', [word('once')]],
			['a phrase', [{ words: ['once', 'upon'], prefix: false }]],
			['the beginning of a word', [{ words: ['onc'], prefix: true }]],
			['two words', [word('everywhere'), word('once')]],
		])('finds %s in what is older', async (_what, terms) => {
			const found = await store.search({ terms, principal: 'carol', limit: 10 });
			expect(found.map(({ number }) => number)).toEqual([2]);
		});

		it('finds as many as are wanted across the newest and the older', async () => {
			const found = await store.search({ terms: [word('everywhere')], principal: 'carol', limit: count + 5 });
			expect(new Set(found.map(({ number }) => number)).size).toBe(count);
		});
	});

	async function planOf(how: string, terms: SearchTerm[], newest: number): Promise<string[]> {
		const scope = { isOne: false, isOfPerson: true };
		const { text } = searchStatement('"holdfast"', ['message', 'context', 'discovery'], scope);
		const client = await server.client();
		const values = [null, hashOf('carol'), queryOf(terms), queryOfOwner(terms, 'carol'), 500, 4_000_000, newest];
		const { rows } = await client.query<{ 'QUERY PLAN': string }>(`explain (${how}) ${text}`, values);
		return rows.map((row) => row['QUERY PLAN']);
	}
});
