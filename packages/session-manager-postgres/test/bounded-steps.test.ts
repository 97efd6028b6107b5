import { PostgresInfoSessionManager, postgresSchemaSql } from '@holdfast/session-manager-postgres';
import { PostgresConversationStore } from '@holdfast/session-manager-postgres/conversations';
import { sampleRecord } from '@holdfast/session-manager-test-kit/own-cases';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { PostgresServer } from '../../../test/support/postgres/postgres-server.ts';
import { until } from '../../../test/support/until.ts';
import { ALL, sampleDiscovery, sampleHead, sampleMessage } from '../../conversations/src/testing/samples.ts';
import { infoStatements } from '../src/sql/info-statements.ts';
import { hashOf } from '../src/stored-text.ts';

let server: PostgresServer;
beforeAll(async () => {
	server = await PostgresServer.create();
	await server.query(postgresSchemaSql());
});
afterAll(() => server?.dispose());

/** The names of the statements that `work` sends, and what it returns. Pings have no name. */
async function sentBy<T>(work: () => Promise<T>): Promise<{ result: T; names: string[] }> {
	const asked = vi.spyOn(pg.Client.prototype, 'query');
	try {
		const result = await work();
		const names = asked.mock.calls.map(([query]) => (query as unknown as { name?: string }).name);
		return { result, names: names.filter((name) => name !== undefined) };
	} finally {
		asked.mockRestore();
	}
}

async function count(table: string, where = 'true'): Promise<number> {
	const [row] = await server.query<{ n: number }>(`select count(*)::int as n from holdfast.${table} where ${where}`);
	return row?.n ?? Number.NaN;
}

describe('one statement about sessions', () => {
	let info: PostgresInfoSessionManager;
	beforeEach(async () => {
		await server.query('truncate holdfast.session, holdfast.subscription, holdfast.state');
		await server.query('select holdfast.recount_sessions()');
	});
	afterEach(() => info.close());

	async function open(maxSessions?: number): Promise<void> {
		info = new PostgresInfoSessionManager(server.url, { migrate: false, ...(maxSessions && { maxSessions }) });
		await until('it is connected', async () => (await info.read('nobody')) === undefined);
	}

	/** Sessions that were made long ago, at whose end the sweeper has to look now; `used` or for long no more. */
	async function have(name: string, sessions: number, used: boolean): Promise<void> {
		await server.query(
			`insert into holdfast.session (id, client, record, initialize_params, server_capabilities, protocol_version,
				created_at, last_used_at, used_at, idle_ttl_ms, reap_at, owner, verified, unused_since)
			select $1 || n, 'test 1', '{}', '{}', '{}', '2025-11-25', 0, 0, used, 3600000, n, '\\x01', true, used
			from generate_series(1, $2) n, (select case when $3 then holdfast.now_ms() else 1 end as used) u`,
			[name, sessions, used],
		);
		await server.query('select holdfast.recount_sessions()');
	}

	async function counted(): Promise<number> {
		return Number((await server.query('select sessions from holdfast.counter'))[0]?.['sessions']);
	}

	it('looks at 200 of those whose time may have come, and lets others go before the next', async () => {
		await open();
		await have('used', 450, true);
		await have('gone', 30, false);
		const { result, names } = await sentBy(() => Promise.all([info.removeExpired(1_000), info.read('used1')]));
		expect(result[0]).toBe(30);
		expect(names).toEqual(['remove-leases', 'read', 'reap', 'reap', 'reap', 'recount']);
		expect([await count('session'), await counted()]).toEqual([450, 450]);
		expect(await count('session', 'reap_at <= holdfast.now_ms()')).toBe(0);
	});

	it('removes no more sessions than are wanted', async () => {
		await open();
		await have('gone', 30, false);
		expect(await info.removeExpired(7)).toBe(7);
		expect([await count('session'), await counted()]).toEqual([23, 23]);
	});

	it('removes 1,000 of the leases that are over, and none that is not', async () => {
		await open();
		await server.query(
			`insert into holdfast.lease (name, holder, until)
			select 'over ' || n, 'a', n from generate_series(1, 2500) n union all values ('lasts', 'a', holdfast.now_ms() + 1e6)`,
		);
		const { result, names } = await sentBy(() => info.removeExpired(100));
		expect(result).toBe(0);
		expect(names).toEqual(['remove-leases', 'remove-leases', 'remove-leases', 'reap', 'recount']);
		expect(await server.query('select name from holdfast.lease')).toEqual([{ name: 'lasts' }]);
		const client = await server.client();
		await client.query('set enable_seqscan = off');
		const { rows } = await client.query<{ 'QUERY PLAN': string }>(
			'explain select ctid from holdfast.lease where until <= 1 order by until limit 10 for update skip locked',
		);
		expect(rows.map((row) => row['QUERY PLAN']).join(' ')).toContain('lease_until');
		await server.query('truncate holdfast.lease');
	});

	it('removes about 2,000 rows, however many sessions they are of', async () => {
		await open();
		await have('gone', 30, false);
		await server.query(
			`insert into holdfast.subscription (session, uri_hash, uri)
			select 'gone' || s, decode(md5(n::text), 'hex'), 'x:' || n from generate_series(1, 30) s, generate_series(1, 200) n`,
		);
		await server.query('update holdfast.session set state_bytes = 200 * 2000');
		expect(await server.query('select * from holdfast.reap_sessions(200, 200)')).toEqual([{ freed: 5, more: true }]);
		expect([await count('session'), await count('subscription')]).toEqual([25, 25 * 200]);
		const { result, names } = await sentBy(() => info.removeExpired(1_000));
		expect(result).toBe(25);
		expect(names).toEqual(['remove-leases', ...Array(6).fill('reap'), 'recount']);
		expect([await count('session'), await count('subscription'), await counted()]).toEqual([0, 0, 0]);
	});

	it('looks at 100 to make room for a session, and others follow until there is room', async () => {
		await open(300);
		await have('used', 270, true);
		await have('gone', 30, false);
		await server.query(`update holdfast.session set reap_at = 1000 where id like 'gone%'`);
		const { result, names } = await sentBy(() => info.create(sampleRecord('new')));
		expect(result).toBe(true);
		expect(names).toEqual(['create', 'create', 'create']);
		await server.query(`update holdfast.session set reap_at = 1 where id like 'used%'`);
		await have('more', 29, true);
		const full = await sentBy(() =>
			expect(info.create(sampleRecord('newer'))).rejects.toMatchObject({ code: 'limit' }),
		);
		expect(full.names).toEqual(['create', 'create', 'create']);
	});

	it('counts out 200 expired sessions to find one that lives and can make room', async () => {
		await open();
		await have('gone', 450, false);
		await have('used', 1, true);
		const { result, names } = await sentBy(() => info.endUnused(Date.now(), 'room'));
		expect(result).toBe('used1');
		expect(names).toEqual(Array(4).fill('end-unused'));
		expect([await counted(), await count('session')]).toEqual([0, 450]);
	});

	it('counts all sessions without keeping others from the counters', async () => {
		await open();
		await have('used', 3, true);
		const other = await server.client();
		await other.query('begin; select from holdfast.counter for update');
		// It would wait, and give up, if it needed the lock.
		expect(await sentBy(() => info.removeExpired(10))).toEqual({
			result: 0,
			names: ['remove-leases', 'reap', 'recount'],
		});
		await other.query('rollback');
	});

	it('reads 10,000 of the subscribers of a resource', async () => {
		await open();
		await have('used', 20_100, true);
		await have('gone', 100, false);
		await server.query(
			`insert into holdfast.subscription (session, uri_hash, uri)
			select id, r.hash, r.uri from holdfast.session, (values ($1::bytea, 'x:1'), ($2::bytea, 'x:2')) r(hash, uri)`,
			[hashOf('x:1'), hashOf('x:2')],
		);
		const { result, names } = await sentBy(async () => info.getSubscriptions('x:1'));
		expect(names).toEqual(Array(3).fill('subscribers'));
		expect(new Set(result).size).toBe(20_100);
		expect(result.length).toBe(20_100);
		expect(result.every((id) => id.startsWith('used'))).toBe(true);
		await server.query('vacuum analyze holdfast.subscription, holdfast.session');
		const client = await server.client();
		const { rows } = await client.query<{ 'QUERY PLAN': string }>(
			`explain (analyze, timing off) ${infoStatements('"holdfast"').subscribers.text}`,
			[hashOf('x:1'), 'used2', 10],
		);
		const scan = rows.map((row) => row['QUERY PLAN']).find((line) => line.includes('subscription_uri'));
		expect(Number(/actual rows=(\d+)/.exec(scan ?? '')?.[1])).toBe(10);
	});
});

describe('one statement about a conversation', () => {
	const found = { words: ['needle'], prefix: false };
	let store: PostgresConversationStore;
	const stores: PostgresConversationStore[] = [];
	const open = async () => {
		const opened = new PostgresConversationStore(server.url, { migrate: false });
		stores.push(opened);
		await until('it is connected', async () => (await opened.read('nobody')) === undefined, 20_000);
		return opened;
	};
	beforeAll(async () => {
		store = await open();
	});
	afterAll(() => {
		for (const each of stores) each.close();
	});
	beforeEach(async () => {
		await store.create(sampleHead('many'));
		const messages = Array.from({ length: 2_500 }, (_, n) =>
			sampleMessage(`needle ${n}`, { by: n % 2 ? 'bob' : 'alice' }),
		);
		await store.append('many', messages);
		await store.addDiscovery('many', sampleDiscovery('found', { by: 'bob' }));
		const [row] = await server.query<{ key: string }>('select max(key) as key from holdfast.conversation');
		await server.query(
			`insert into holdfast.context (conversation, name_hash, name, owner, author, version, value, bytes, added_at,
				updated_at, accessed_at, words)
			select $1, decode(md5(n::text), 'hex'), 'n' || n, '\\x01', case when n % 3 = 0 then 'bob' else 'alice' end, n, '1',
				1, 1, 1, 1, ''
			from generate_series(1, 1200) n`,
			[row?.key],
		);
		await server.query('update holdfast.conversation set bytes = bytes + 1200');
	}, 30_000);
	afterEach(async () => {
		await store.delete('many');
	});

	async function left(): Promise<number[]> {
		return Promise.all(['message', 'context', 'discovery', 'member', 'removal'].map((table) => count(table)));
	}

	it('erases what somebody wrote among 1,000 messages and 1,000 values', async () => {
		const before = await store.counts('many');
		const { result, names } = await sentBy(() => store.eraseAuthor('many', 'bob'));
		expect(names).toEqual(Array(3).fill('conversation-erase_author'));
		expect(result).toBe(1_250 + 1 + 400);
		for (const table of ['message', 'context', 'discovery']) expect(await count(table, `author = 'bob'`)).toBe(0);
		expect(await count('message', `author = 'alice'`)).toBe(1_250);
		expect(await count('context')).toBe(800);
		expect((await store.counts('many'))?.bytes).toBe((before?.bytes ?? 0) - 400);
		expect((await store.discoveries('many', ALL)).map(({ title }) => title)).toEqual(['[erased]']);
		expect(await store.eraseAuthor('many', 'bob')).toBe(0);
	});

	it('removes 1,000 messages and 1,000 values of a conversation that was deleted', async () => {
		const { result, names } = await sentBy(() => store.delete('many'));
		expect(result).toBe(true);
		expect(names).toEqual(['conversation-delete_conversation', ...Array(2).fill('conversation-remove_conversation')]);
		expect(await left()).toEqual([0, 0, 0, 0, 0]);
		expect(await store.delete('many')).toBe(false);
	});

	it('makes it unknown at first, and the next store that connects removes what a dead node could not', async () => {
		await store.create(sampleHead('other'));
		await store.append('other', [sampleMessage('needle')]);
		await server.query(
			`update holdfast.message m set key = default from holdfast.conversation c
			where c.key = m.conversation and c.id_hash = $1`,
			[hashOf('many')],
		);
		await server.query('select holdfast.delete_conversation($1)', [hashOf('many')]);
		expect(await left()).toEqual([1_501, 200, 0, 1, 1]);
		expect(await store.read('many')).toBeUndefined();
		expect(await store.counts('many')).toBeUndefined();
		expect(await store.messages('many', ALL)).toEqual([]);
		const search = { terms: [found], principal: 'alice', limit: 10 };
		expect((await store.search(search)).map(({ conversation }) => conversation)).toEqual(['other']);
		expect(await store.create(sampleHead('many'))).toBe(true);
		expect((await store.counts('many'))?.messages).toBe(0);
		await open();
		await until('nothing is left', async () => (await count('removal')) === 0);
		expect(await left()).toEqual([1, 0, 0, 2, 0]);
		await store.delete('other');
	});
});
