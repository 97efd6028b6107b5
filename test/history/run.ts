import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { House, type StoreHouse, type TopologyName } from './house.ts';
import { PostgresHouse } from './postgres-house.ts';
import { runSchedule, type ScheduleOptions, type ScheduleResult } from './schedule.ts';
import { SqliteHouse } from './sqlite-house.ts';

/** Which schedules to run. */
export interface RunOptions extends ScheduleOptions {
	/** Redis in a topology, a PostgreSQL, or a file of SQLite. */
	readonly topology: TopologyName | 'postgres' | 'sqlite';
	readonly seeds: readonly number[];
	readonly mutant?: string | undefined;
	/** Where the history of a schedule with violations is written; none where it is left out. */
	readonly folder?: string | undefined;
	/** Told of each schedule; `false` ends the run. */
	onschedule?(result: ScheduleResult, totals: Totals): boolean | void;
}

/** What all schedules came to. */
export interface Totals {
	schedules: number;
	sent: number;
	taken: number;
	received: number;
	resumes: number;
	/** Calls with a stream of their own, by how they ended. */
	calls: Record<string, number>;
	faults: Record<string, number>;
	/** Messages that were lost with the notice to read again, where that is allowed. */
	noticed: number;
	violations: string[];
}

/** Runs schedules one after another in one house. */
export async function runSchedules({
	topology,
	seeds,
	mutant,
	folder,
	onschedule,
	...options
}: RunOptions): Promise<Totals> {
	const totals: Totals = {
		schedules: 0,
		sent: 0,
		taken: 0,
		received: 0,
		resumes: 0,
		calls: {},
		faults: {},
		noticed: 0,
		violations: [],
	};
	const house = await openHouse(topology, mutant);
	try {
		for (const seed of seeds) {
			const result = await runSchedule(house, seed, options);
			totals.schedules++;
			totals.sent += result.sent.length;
			totals.taken += result.sent.filter(({ outcome }) => outcome === 'taken').length;
			totals.resumes += result.resumes;
			totals.noticed += result.noticed;
			for (const client of result.clients) totals.received += client.received.length;
			for (const { end = 'open' } of result.calls) totals.calls[end] = (totals.calls[end] ?? 0) + 1;
			for (const name of result.faults) {
				const kind = name.replace(/ at \d+ ms$/, '').replace(/\d+ ms/, '…');
				totals.faults[kind] = (totals.faults[kind] ?? 0) + 1;
			}
			for (const { client, type, detail } of result.violations)
				totals.violations.push(`seed ${seed}, ${client}: ${type}, ${detail}`);
			if (folder !== undefined && result.violations.length > 0) {
				mkdirSync(folder, { recursive: true });
				writeFileSync(join(folder, `${topology}-${seed}.json`), JSON.stringify(result, null, '\t'));
			}
			if (onschedule?.(result, totals) === false) break;
		}
	} finally {
		await house[Symbol.asyncDispose]();
	}
	return totals;
}

function openHouse(topology: RunOptions['topology'], mutant?: string): Promise<StoreHouse> {
	if (topology === 'postgres') return PostgresHouse.open(mutant);
	return topology === 'sqlite' ? SqliteHouse.open(mutant) : House.open(topology, mutant);
}
