import { DEFAULT_HISTORY_LIMITS } from '@holdfast/session-manager/custom';
import { type SqliteSessionManager, sqliteSessionManager } from '@holdfast/session-manager-sqlite';
import { open, sampleRecord, sse } from '@holdfast/session-manager-test-kit/own-cases';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../../test/support/until.ts';
import { driverOf, type SqliteDatabase } from '../src/file/driver.ts';
import { openConnection } from '../src/open-connection.ts';
import { SqliteStore } from '../src/store.ts';
import { StreamLog } from '../src/streams/stream-log.ts';
import { readWorld, Transaction } from '../src/transaction.ts';
import { openDatabase } from './support/open-database.ts';
import { SessionFile } from './support/session-file.ts';
import { areApart, largest, StepCounter } from './support/step-counter.ts';

/** About as many rows as one step may write; what else it writes for each, such as counts, comes on top. */
const STEP = 1_000;
const MANY = 2_500;

let file: SessionFile;
let steps: StepCounter;
let template: SqliteDatabase;
/** For looking at the file, and filling it. */
let database: SqliteDatabase | undefined;
let managers: SqliteSessionManager | undefined;

beforeEach(async () => {
	file = new SessionFile();
	steps = new StepCounter();
	template = await steps.connect(file.path);
});
afterEach(async () => {
	await managers?.close();
	managers = undefined;
	database?.close();
	database = undefined;
	template.close();
	file[Symbol.dispose]();
});

async function start(options: Parameters<typeof sqliteSessionManager>[1] = {}): Promise<SqliteSessionManager> {
	managers = sqliteSessionManager(template, options);
	// The file is opened.
	await managers.info.read('nobody');
	database = await openDatabase(file.path);
	steps.forget();
	return managers;
}

function count(table: string): number {
	const row = database?.prepare(`SELECT count(*) AS n FROM holdfast_${table}`).get() as { readonly n: number };
	return Number(row.n);
}

function run(sql: string): void {
	database?.exec(sql);
}

/** Runs an INSERT … SELECT for each `i` from 1 to `times`. */
function fill(times: number, insert: string, select: string): void {
	run(`INSERT INTO ${insert} WITH RECURSIVE each (i) AS (
		VALUES (1) UNION ALL SELECT i + 1 FROM each WHERE i < ${times}) SELECT ${select} FROM each`);
}

/** Adds sessions that end at a time, with a state of so many bytes as far as is noted. */
function addSessions(times: number, ends: string, stateBytes = 0): void {
	fill(
		times,
		`holdfast_session (id, owner, verified, record, last_used_at, used_at, over_at, ends, gone, reap_at, counted,
			state_bytes, versions)`,
		`'${ends}' || i, 'o', 0, '{}', 0, 0, 9e15, ${ends}, ${ends}, ${ends}, 0, ${stateBytes}, 0`,
	);
}

describe('removing sessions', () => {
	it('removes as many expired ones as are asked for, however many a step takes', async () => {
		const { info } = await start();
		addSessions(MANY, '-1');
		addSessions(1, '9e15');
		expect(await info.removeExpired(2_000)).toBe(2_000);
		expect(await info.removeExpired(2_000)).toBe(500);
		expect(await info.removeExpired(2_000)).toBe(0);
		expect(count('session')).toBe(1);
		expect(largest(steps.transactions)).toBeLessThanOrEqual(STEP);
		expect(areApart(steps.transactions)).toBe(true);
	});

	it('removes leases that are over in steps, and none that is not', async () => {
		const { info } = await start();
		fill(MANY, 'holdfast_lease (name, holder, until)', `'used ' || i, 'a', -i`);
		await info.acquireLease('lasts', 'a', 60_000);
		steps.forget();
		expect(await info.removeExpired(1)).toBe(0);
		expect(count('lease')).toBe(1);
		expect(await info.acquireLease('lasts', 'b', 60_000)).toBe(false);
		expect(largest(steps.transactions)).toBeLessThanOrEqual(STEP);
		expect(areApart(steps.transactions)).toBe(true);
	});

	it('takes a step for a session with a large state', async () => {
		const { info } = await start();
		addSessions(20, '-1', 10 * 1024 * 1024);
		expect(await info.removeExpired(100)).toBe(20);
		expect(largest(steps.transactions)).toBe(1);
	});

	it('lets nobody find a session whose rows go in steps, and another one have its id', async () => {
		const { info } = await start();
		for (const [id, end] of [
			['deleted', () => info.delete('deleted')],
			['ended', () => info.end('ended', Date.now(), 'done')],
		] as const) {
			await info.create(sampleRecord(id, { principal: 'alice' }));
			fill(MANY, 'holdfast_subscription', '(SELECT max(key) FROM holdfast_session), i');
			fill(MANY, 'holdfast_state', `(SELECT max(key) FROM holdfast_session), i, 1, 1, '1'`);
			steps.forget();
			expect(await end()).toBe(true);
			expect(await info.read(id)).toBeUndefined();
			expect(await info.readEnded(id)).toBeUndefined();
			expect(await info.sessionsOf('alice')).toEqual([]);
			expect(await info.delete(id)).toBe(false);
			expect(await info.create(sampleRecord(id, { principal: 'bob' }))).toBe(true);
			expect(await info.getSubscribedUris(id)).toEqual([]);
			expect((await info.listState(id)).size).toBe(0);
			expect(await info.removeExpired(10)).toBe(1);
			for (const table of ['subscription', 'state']) expect(count(table)).toBe(0);
			expect((await info.read(id))?.principal).toBe('bob');
			expect(largest(steps.transactions)).toBeLessThan(STEP + 50);
		}
	});

	it('frees the subscriptions of an ended session that is kept in steps, and keeps it', async () => {
		const { info } = await start();
		await info.create(sampleRecord('s', { keepEndedMs: 60_000 }));
		fill(MANY, 'holdfast_subscription', '(SELECT key FROM holdfast_session), i');
		steps.forget();
		expect(await info.end('s', Date.now(), 'done')).toBe(true);
		expect(await info.removeExpired(10)).toBe(0);
		expect(count('subscription')).toBe(0);
		expect((await info.readEnded('s'))?.reason).toBe('done');
		expect(largest(steps.transactions)).toBeLessThan(STEP + 50);
	});
});

describe('the subscribers of a resource', () => {
	it('are read in steps where they are very many, each once', async () => {
		const { info } = await start();
		addSessions(MANY, '9e15');
		addSessions(10, '-1');
		fill(MANY + 10, 'holdfast_subscription', `i, 'file:///a'`);
		// One is gone without a trace.
		fill(1, 'holdfast_subscription', `99999, 'file:///a'`);
		steps.pattern = /holdfast_subscription/;
		const ids = await info.getSubscriptions('file:///a');
		expect(ids).toHaveLength(MANY);
		expect(new Set(ids).size).toBe(MANY);
		expect(largest(steps.reads)).toBe(STEP);
		expect(areApart(steps.reads)).toBe(true);
	});
});

describe('a transaction', () => {
	it('takes no other call after a long one', async () => {
		const store = SqliteStore.use(template, () => {});
		await store.read(() => {});
		const takeLong = () =>
			store.write(() => {
				for (const end = performance.now() + 10; performance.now() < end; );
				return steps.turn;
			});
		const turns = await Promise.all([takeLong(), takeLong(), takeLong()]);
		expect(new Set(turns).size).toBe(3);
		await store.release(() => {});
	});
});

describe('sweeping streams', () => {
	/** Adds events and request streams of long ago to a session of whose streams something is known. */
	function addOld(session: string): void {
		const log = `(SELECT key FROM holdfast_log WHERE session = '${session}')`;
		fill(
			MANY,
			'holdfast_event (id, target, kind, log, at, channel, size, data)',
			`(SELECT last FROM holdfast_world) + i, NULL, 0, ${log}, -9e15, '${session} ' || i, 1, 'x'`,
		);
		fill(
			MANY,
			'holdfast_stream (log, channel, dropped, uncertain, used_at)',
			`${log}, '${session} ' || i, 0, 0, -9e15`,
		);
		run(`UPDATE holdfast_event SET at = -9e15 WHERE log = ${log}`);
		run(`UPDATE holdfast_world SET last = last + ${MANY}`);
		run(`UPDATE holdfast_log SET events = events + ${MANY}, reap_at = -1 WHERE session = '${session}'`);
	}

	it('drops what is too old in steps, and what is left of sessions that are over', async () => {
		const { streams } = await start({ history: { maxEvents: 100_000 } });
		await open(streams, 'holder');
		const before = count('stream');
		for (const session of ['old', 'over', 'deleted']) {
			await streams.send([session], sse(0));
			addOld(session);
		}
		run(`UPDATE holdfast_log SET ends_at = -1 WHERE session = 'over'`);
		steps.forget();
		await streams.delete('deleted');
		// Nobody finds what is left.
		const again = await open(streams, 'deleted');
		await streams.send(['deleted'], sse(1));
		expect(await again.hears(1)).toEqual(['1']);
		await until('the old ones are swept', () => count('event') === 1 && count('stream') === before + 2);
		expect(count('log')).toBe(3);
		// For each event, its stream is written as well.
		expect(largest(steps.transactions)).toBeLessThan(2 * STEP + 50);
		expect(areApart(steps.transactions)).toBe(true);
	}, 30_000);

	it('is done with streams that are held, however briefly events are kept', async () => {
		const { streams } = await start({ history: { maxAgeMs: 0 } });
		for (let n = 0; n < 50; n++) await open(streams, `s${n}`);
		const dueAt = () => {
			const row = database?.prepare('SELECT min(reap_at) AS at FROM holdfast_log').get() as { readonly at: number };
			return Number(row.at);
		};
		const before = dueAt();
		await until('they are swept', () => dueAt() > before);
		steps.forget();
		const begun = dueAt();
		await until('two seconds have passed for the sweeper', () => dueAt() >= begun + 2_000);
		expect(steps.transactions.length).toBeLessThan(20);
	});

	it('forgets streams without events in steps, and none that still has some', async () => {
		await start();
		const { connection } = await openConnection(file.path, await driverOf(file.path), 0);
		const limits = { ...DEFAULT_HISTORY_LIMITS, maxAgeMs: 1_000 };
		const at = (now: number) => StreamLog.at(new Transaction(connection, readWorld(connection), now), 's', limits);
		let id = 0;
		const append = (now: number, channel: string) => {
			const transaction = new Transaction(connection, { ...readWorld(connection), last: id }, now);
			id = StreamLog.at(transaction, 's', limits).append(channel, sse(id)) ?? id;
		};
		append(0, 's empty');
		// Nobody holds it, and it goes on for long.
		for (let now = 0; now < 5_000; now += 400) append(now, 's busy');
		connection.exec('BEGIN');
		for (let n = 0; n < MANY; n++) {
			const log = at(4_000);
			log.take(`s ${n}`, { token: 'token', process: 1, began: id, broadcasts: undefined, uncertain: false }, false);
			log.free(`s ${n}`, id);
		}
		connection.exec('COMMIT');
		const log = at(5_600);
		expect(log.expire()).toBeGreaterThan(5);
		expect(log.forgetUnused('s', STEP)).toBe(1);
		const later = at(6_100);
		expect([1, 2, 3].map(() => later.forgetUnused('s', STEP))).toEqual([STEP, STEP, MANY - 2 * STEP]);
		expect(later.stream('s busy')).toBeDefined();
		expect(later.after('s busy', 0)).toHaveLength(1);
		connection.close();
	});
});
