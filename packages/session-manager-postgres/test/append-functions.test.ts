import { END_OF_STREAM } from '@holdfast/session-manager/custom';
import { postgresSchemaSql } from '@holdfast/session-manager-postgres';
import type { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { PostgresServer } from '../../../test/support/postgres/postgres-server.ts';
import { until } from '../../../test/support/until.ts';
import { streamStatements } from '../src/sql/stream-statements.ts';
import { AppendBatch } from '../src/streams/append-batch.ts';

const { append, appendEvent, takeOver, detach } = streamStatements('"holdfast"');
/** The locks that say that the node that appends lives, and another one. */
const [OWN, OTHER, DEAD] = [1, 2, 3];
const MAX_AGE = 60_000_000;
const limits = [1_000, 1_000_000, MAX_AGE];

let server: PostgresServer;
let client: Client;
let heard: string[] = [];
beforeAll(async () => {
	server = await PostgresServer.create();
	await server.query(postgresSchemaSql());
	client = await server.client();
	await client.query(`select pg_advisory_lock(${OWN})`);
	const other = await server.client();
	await other.query(`select pg_advisory_lock(${OTHER})`);
	await other.query('listen own; listen other; listen dead; listen everyone; listen done');
	other.on('notification', ({ channel, payload = '' }) => {
		// Offsets differ.
		heard.push(`${channel} ${payload.replace(/^e\d+ /, 'e ')}`);
	});
});
beforeEach(async () => {
	await server.query('truncate holdfast.stream, holdfast.event');
	await server.query('update holdfast.ring set until = 0');
	heard = [];
});
afterAll(() => server?.dispose());

async function appendAs(way: 'one' | 'many', id: string, data: string): Promise<string> {
	const batch = new AppendBatch([{ ids: [id], data, bytes: Buffer.byteLength(data) }]);
	const values = way === 'one' ? (batch.loneValues() ?? []) : batch.values();
	const { text } = way === 'one' ? appendEvent : append;
	const { rows } = await client.query(text, [...values, 'everyone', OWN, ...limits]);
	return String(rows[0]?.result).replace(/^\d+/, 'before');
}

async function take(session: string, name: string, node: string, life: number): Promise<void> {
	const nothing = Array<null>(7).fill(null);
	await client.query(takeOver.text, [session, name, `${node}-token`, false, ...nothing, node, life, node, ...limits]);
}

/** What is kept of a session; of each offset, how many of its events are not after it. */
async function keptOf(session: string): Promise<unknown> {
	const offsets = ['newest', 'dropped', 'fresh_from', 'over', 'undelivered', 'last'];
	const counted = offsets.map(
		(offset) =>
			`(select count(*) from holdfast.event e where e.session = s.session and e.off <= s.${offset}) as ${offset}`,
	);
	const { rows } = await client.query(
		`select s.name, ${counted.join(', ')}, s.over is null as open, s.undelivered is null as delivered,
			s.undelivered_epoch, s.token, s.node, s.life, s.events, s.bytes,
			array(select e.name || ' ' || e.ends || ' ' || convert_from(e.data, 'UTF8') from holdfast.event e
				where e.session = s.session and e.name = s.name order by e.off) as kept
		from holdfast.stream s where s.session = $1 order by s.name`,
		[session],
	);
	return rows;
}

async function heardSoFar(): Promise<string[]> {
	await client.query('notify done');
	await until('everything is heard', () => heard.at(-1)?.startsWith('done') === true);
	const all = heard.slice(0, -1);
	heard = [];
	return all;
}

const last = `data: last\n${END_OF_STREAM}\n\n`;

describe('one event is appended as a batch of one is', () => {
	const cases: Record<string, (session: string, way: 'one' | 'many') => Promise<string[]>> = {
		'nobody ever held the stream': async (s, way) => [await appendAs(way, s, 'a'), await appendAs(way, s, 'é\n')],
		'this node holds it': async (s, way) => {
			await take(s, '', 'own', OWN);
			return [await appendAs(way, s, 'a'), await appendAs(way, s, 'b')];
		},
		'another node holds it': async (s, way) => {
			await take(s, '', 'other', OTHER);
			return [await appendAs(way, s, 'a')];
		},
		'a node held it that is dead': async (s, way) => {
			await take(s, '', 'dead', DEAD);
			return [await appendAs(way, s, 'a'), await appendAs(way, s, 'b')];
		},
		'its client left': async (s, way) => {
			await take(s, '', 'own', OWN);
			const before = await appendAs(way, s, 'a');
			await client.query(detach.text, [s, '', 'own-token', 'e', 0, 'e', 0]);
			return [before, await appendAs(way, s, 'b')];
		},
		'a request stream that nobody ever held': async (s, way) => [
			await appendAs(way, `${s} 1`, 'a'),
			await appendAs(way, `${s} 1`, 'b'),
		],
		'a request stream of this node': async (s, way) => {
			await take(s, '1', 'own', OWN);
			return [await appendAs(way, `${s} 1`, 'a'), await appendAs(way, `${s} 1`, last)];
		},
		'a request stream of another node': async (s, way) => {
			await take(s, '1', 'other', OTHER);
			return [await appendAs(way, `${s} 1`, 'a')];
		},
		'a request stream of a dead node': async (s, way) => {
			await take(s, '1', 'dead', DEAD);
			return [await appendAs(way, `${s} 1`, 'a'), await appendAs(way, `${s} 1`, 'b')];
		},
		'a request stream that has ended': async (s, way) => [
			await appendAs(way, `${s} 1`, last),
			await appendAs(way, `${s} 1`, 'late'),
		],
	};

	it.each(Object.entries(cases))('%s', async (_, work) => {
		// Ids of one length, because payloads name them.
		const results = { one: await work('s-one', 'one'), many: [] as string[] };
		const payloads = { one: await heardSoFar(), many: [] as string[] };
		results.many = await work('s-two', 'many');
		payloads.many = (await heardSoFar()).map((payload) => payload.replaceAll('s-two', 's-one'));
		expect(results.one.length).toBeGreaterThan(0);
		expect(results.one).toEqual(results.many);
		expect(payloads.one).toEqual(payloads.many);
		const kept = await keptOf('s-one');
		expect(kept).not.toEqual([]);
		expect(kept).toEqual(await keptOf('s-two'));
	});

	it('a broadcast', async () => {
		const results = [await appendAs('one', ' ', 'a'), await appendAs('many', ' ', 'a')];
		expect(results[0]).toBe(results[1]);
		const payloads = await heardSoFar();
		expect(payloads).toHaveLength(2);
		expect(payloads[0]).toBe(payloads[1]);
		expect(payloads[0]).toMatch(/^everyone e/);
	});
});

describe('the end of a span of time', () => {
	const span = MAX_AGE / 2;
	const untilOf = async () =>
		(await client.query(`select slot, until::bigint as until from holdfast.ring where until > 0 order by slot`)).rows;
	const endsOf = async () =>
		(
			await client.query(
				`select slot, ((max(off) / ${span} + 1) * ${span})::bigint as until from holdfast.event group by slot order by slot`,
			)
		).rows;

	it.each(['s', 's 1', ' '])('is noted with one event: %j', async (id) => {
		await appendAs('one', id, 'a');
		expect(await untilOf()).toEqual(await endsOf());
	});

	it('is noted for each partition that a batch writes to', async () => {
		await appendAs('one', 'ahead', 'a');
		// As where the clock was set back.
		await client.query(`update holdfast.stream set last = last + ${span} where session = 'ahead'`);
		await client.query('truncate holdfast.event');
		await client.query('update holdfast.ring set until = 0');
		const batch = new AppendBatch(['ahead', 's', 's 1'].map((id) => ({ ids: [id], data: 'x', bytes: 1 })));
		await client.query(append.text, [...batch.values(), 'everyone', OWN, ...limits]);
		const noted = await untilOf();
		expect(noted).toHaveLength(2);
		expect(noted).toEqual(await endsOf());
	});
});

it('a batch locks no session while it waits for another one to be made', async () => {
	const other = await server.client();
	const batchOf = (ids: readonly string[]) =>
		new AppendBatch(ids.map((id) => ({ ids: [id], data: 'x', bytes: 1 }))).values();
	await appendAs('one', 'b', 'a');
	await other.query('begin');
	await other.query(`select holdfast.lock_session('a', ${MAX_AGE})`);
	const appended = client.query(append.text, [...batchOf(['a', 'b']), 'everyone', OWN, ...limits]);
	await until('it waits', async () => {
		const waits = await server.query(
			`select from pg_stat_activity where wait_event_type = 'Lock' and query like '%append%'`,
		);
		return waits.length > 0;
	});
	await other.query(append.text, [...batchOf(['b', 'c']), 'everyone', OWN, ...limits]);
	await other.query('commit');
	await appended;
	const { rows } = await client.query(`select session, events from holdfast.stream order by session`);
	expect(rows).toEqual([
		{ session: 'a', events: 1 },
		{ session: 'b', events: 3 },
		{ session: 'c', events: 1 },
	]);
});

it('of a takeover only the holder before is told, if it lives', async () => {
	const orders: number[] = [];
	const heardOrders = async () => {
		const heard = await heardSoFar();
		for (const text of heard) orders.push(Number(/\d+/.exec(text)?.[0]));
		return heard.map((text) => text.replace(/\d+/, 'order'));
	};
	await take('s', '', 'other', OTHER);
	expect(await heardOrders()).toEqual([]);
	await take('s', '', 'own', OWN);
	expect(await heardOrders()).toEqual(['other torder s']);
	await client.query(detach.text, ['s', '', 'own-token', 'e', 0, 'e', 0]);
	await take('s', '', 'dead', DEAD);
	await take('s', '', 'own', OWN);
	expect(await heardOrders()).toEqual([]);
	const again = [...Array<null>(7).fill(null), 'own', OWN, 'own', ...limits];
	await client.query(takeOver.text, ['s', '', 'another-token', false, ...again]);
	expect(await heardOrders()).toEqual(['own torder s']);
	expect(orders).toEqual([Math.min(...orders), Math.max(...orders)]);
	expect(new Set(orders).size).toBe(2);
});
