import { statSync } from 'node:fs';
import { sqliteSessionManager } from '@holdfast/session-manager-sqlite';
import { sampleRecord, sse } from '@holdfast/session-manager-test-kit/own-cases';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../../test/support/until.ts';
import type { SqliteDatabase } from '../src/file/driver.ts';
import { openDatabase } from './support/open-database.ts';
import { SessionFile } from './support/session-file.ts';

/** More than any process writes in one turn of its event loop. */
const MANY = 3_000;
/** Twice as large as SQLite lets the log become where the event loop has to write it back, in bytes. */
const LARGE = 8 * 1024 * 1024;

let file: SessionFile;
/** What the event loop had SQLite do, and in which of its turns. */
let statements: { readonly sql: string; readonly turn: number }[] = [];
let turn = 0;
let isCounting = false;

function countTurns(): void {
	turn++;
	if (isCounting) setImmediate(countTurns);
}

function turnsOf(pattern: RegExp): number[] {
	return statements.filter(({ sql }) => pattern.test(sql)).map((statement) => statement.turn);
}

/** A connection for managers to copy, which counts. */
async function counting(): Promise<SqliteDatabase> {
	const database = await openDatabase(file.path);
	database.close();
	const Database = database.constructor as new (path: string) => SqliteDatabase;
	class Counting extends Database {
		override exec(sql: string): unknown {
			statements.push({ sql, turn });
			return super.exec(sql);
		}
	}
	return new Counting(file.path);
}

beforeEach(() => {
	file = new SessionFile();
	isCounting = true;
	countTurns();
});
afterEach(() => {
	isCounting = false;
	file[Symbol.dispose]();
});

describe('a turn of the event loop', () => {
	it('has one transaction at most, for all that is asked of both managers', async () => {
		const template = await counting();
		const { streams, info, close } = sqliteSessionManager(template, { maxSessions: 0 });
		await info.create(sampleRecord('s'));
		await streams.send(['s'], sse(1));
		statements = [];
		const calls = Array.from({ length: 50 }, (_, n) => [
			streams.send(['s'], sse(n)),
			streams.send(undefined, sse(n)),
			info.touch('s', n),
			info.create(sampleRecord(`s${n}`)),
		]);
		await Promise.all(calls.flat());
		const begun = turnsOf(/^BEGIN/);
		// How many it takes is up to the machine: a transaction takes no more calls after a few milliseconds.
		expect(begun.length).toBeLessThan(50);
		expect(new Set(begun).size).toBe(begun.length);
		expect(turnsOf(/^COMMIT/)).toEqual(begun);
		await close();
		template.close();
	});

	it('takes no more than there is time for: the rest waits for the next ones', async () => {
		const template = await counting();
		const { streams, close } = sqliteSessionManager(template, { history: { maxEvents: MANY } });
		await streams.send(['s'], sse(1));
		statements = [];
		await Promise.all(Array.from({ length: MANY }, (_, n) => streams.send(['s'], sse('x'.repeat(n % 500)))));
		const begun = turnsOf(/^BEGIN/);
		expect(begun.length).toBeGreaterThan(2);
		expect(new Set(begun).size).toBe(begun.length);
		await close();
		template.close();
	});

	it('is never spent on writing the log back: a thread does that, and then the log is empty', async () => {
		const { streams, close } = sqliteSessionManager(file.path);
		const size = () => statSync(`${file.path}-wal`).size;
		let largest = 0;
		await until('the log was written back', async () => {
			await streams.send(['s'], sse('x'.repeat(500_000)));
			largest = Math.max(largest, size());
			return largest > LARGE && size() < largest / 2;
		});
		await close();
	});
});

describe('a write-ahead log that grows while somebody reads for a long time, as a backup does', () => {
	it('is left alone until then, so that others can write, and is written back after it', async () => {
		const { streams, close } = sqliteSessionManager(file.path, { history: { maxEvents: MANY } });
		await streams.send(['s'], sse(1));
		const reader = await openDatabase(file.path);
		reader.exec('BEGIN');
		reader.prepare('SELECT count(*) FROM holdfast_event').all();
		const text = sse('x'.repeat(64 * 1024));
		await until('the log is large', async () => {
			await streams.send(['s'], text);
			return statSync(`${file.path}-wal`).size > LARGE;
		});
		const writer = await openDatabase(file.path);
		writer.exec('PRAGMA busy_timeout = 0');
		let refused = 0;
		for (let n = 0; n < 500; n++) {
			await new Promise((resolve) => setTimeout(resolve, 2));
			try {
				writer.exec('BEGIN IMMEDIATE');
				writer.exec('ROLLBACK');
			} catch {
				refused++;
			}
			await streams.send(['s'], sse(n));
		}
		expect(refused).toBeLessThan(150);
		reader.exec('COMMIT');
		await until('it is written back', async () => {
			await streams.send(['s'], sse(2));
			return statSync(`${file.path}-wal`).size < LARGE;
		});
		reader.close();
		writer.close();
		await close();
	}, 60_000);
});
