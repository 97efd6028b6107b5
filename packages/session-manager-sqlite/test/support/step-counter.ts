import { performance } from 'node:perf_hooks';
import type { SqliteDatabase, SqliteStatement } from '../../src/file/driver.ts';
import { openDatabase } from './open-database.ts';

/** What SQLite did without giving others their turn. */
export interface Step {
	/** How many rows it wrote, or returned. */
	readonly rows: number;
	/** In which turn of the event loop. */
	readonly turn: number;
}

/** Counts what managers have SQLite do on the event loop. */
export class StepCounter {
	/** The transactions that wrote something. */
	transactions: Step[] = [];
	/** The reads of several rows that were asked for. */
	reads: Step[] = [];
	/** Which of them. */
	pattern = /^/;

	/** The number of this turn of the event loop. */
	get turn(): number {
		return performance.nodeTiming.uvMetricsInfo.loopCount;
	}

	forget(): void {
		this.transactions = [];
		this.reads = [];
	}

	/** Returns a connection for managers to copy, which counts. */
	async connect(path: string): Promise<SqliteDatabase> {
		const database = await openDatabase(path);
		database.close();
		const Database = database.constructor as new (path: string) => SqliteDatabase;
		const counter = this;
		class Counting extends Database {
			#before = 0;

			override exec(sql: string): unknown {
				if (sql === 'COMMIT') {
					const rows = this.#written() - this.#before;
					if (rows > 0) counter.transactions.push({ rows, turn: counter.turn });
				}
				const result = super.exec(sql);
				if (sql.startsWith('BEGIN')) this.#before = this.#written();
				return result;
			}

			override prepare(sql: string): SqliteStatement {
				const statement = super.prepare(sql);
				return {
					run: (...values) => statement.run(...values),
					get: (...values) => statement.get(...values),
					all(...values) {
						const rows = statement.all(...values);
						if (counter.pattern.test(sql)) counter.reads.push({ rows: rows.length, turn: counter.turn });
						return rows;
					},
				};
			}

			#written(): number {
				const row = super.prepare('SELECT total_changes() AS n').get() as { readonly n: number };
				return Number(row.n);
			}
		}
		return new Counting(path);
	}
}

/** Returns the largest number of rows of a step. */
export function largest(steps: readonly Step[]): number {
	return Math.max(0, ...steps.map(({ rows }) => rows));
}

/** Returns whether no two steps were in one turn of the event loop. The first may have begun in the middle of one. */
export function areApart(steps: readonly Step[]): boolean {
	return new Set(steps.slice(1).map(({ turn }) => turn)).size === steps.slice(1).length;
}
