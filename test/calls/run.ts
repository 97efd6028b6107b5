import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NodeProcess } from '../history/node-process.ts';
import { type EngineName, engines } from './engines/index.ts';
import { isAccepted } from './judge.ts';
import { Reports } from './record.ts';
import { runSchedule, type ScheduleOptions, type ScheduleResult } from './schedule.ts';

/** Which schedules to run. */
export interface RunOptions extends ScheduleOptions {
	readonly engine: EngineName;
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
	/** Calls by what they are and how they ended. */
	readonly calls: Record<string, number>;
	/** Answers, progress and cancellations that were taken. */
	readonly taken: Record<string, number>;
	resumes: number;
	readonly faults: Record<string, number>;
	/** Schedules with violations. */
	violated: number;
	/** Violations by type. */
	readonly types: Record<string, number>;
	readonly violations: string[];
}

const path = fileURLToPath(new URL('node.mjs', import.meta.url));

/** Runs schedules one after another on one rig. */
export async function runSchedules({
	engine,
	seeds,
	mutant,
	folder,
	onschedule,
	...options
}: RunOptions): Promise<Totals> {
	const reports = new Reports();
	const totals: Totals = {
		schedules: 0,
		calls: {},
		taken: {},
		resumes: 0,
		faults: {},
		violated: 0,
		types: {},
		violations: [],
	};
	const program = { path, onreport: reports.take };
	const rig = await engines[engine]((managers) => new NodeProcess({ managers, mutant }, program));
	try {
		for (const seed of seeds) {
			const result = await runSchedule(rig, reports, seed, options);
			count(totals, result);
			const { violations } = result;
			if (folder !== undefined && violations.length > 0) {
				mkdirSync(folder, { recursive: true });
				writeFileSync(join(folder, `${engine}-${seed}.json`), JSON.stringify(result, null, '\t'));
			}
			if (onschedule?.(result, totals) === false) break;
		}
	} finally {
		await rig[Symbol.asyncDispose]();
	}
	return totals;
}

function count(totals: Totals, { seed, calls, sessions, faults, violations }: ScheduleResult): void {
	totals.schedules++;
	for (const call of calls) {
		const session = sessions.find(({ name }) => call.nonce.startsWith(`${name}.`));
		if (session === undefined) continue;
		const accepted = isAccepted({ ...call, session });
		const end = accepted ? (call.ends[0]?.type ?? call.over ?? 'open') : 'not accepted';
		add(totals.calls, `${session.transport} ${call.plan.kind}: ${end}`);
		totals.resumes += call.resumes;
		for (const { answers, progress } of call.questions) {
			for (const { status } of answers) if (status === 202) add(totals.taken, 'answers');
			for (const { attempt } of progress) if (attempt.status === 202) add(totals.taken, 'progress');
		}
		for (const { status } of call.cancels) if (status === 202) add(totals.taken, 'cancels');
	}
	for (const { deletedAt } of sessions) if (deletedAt !== undefined) add(totals.taken, 'DELETEs');
	for (const name of faults) add(totals.faults, name.replace(/ at \d+ ms$/, '').replace(/\d+ ms/, '…'));
	if (violations.length > 0) totals.violated++;
	for (const { type, of, detail } of violations) {
		add(totals.types, type);
		totals.violations.push(`seed ${seed}, ${of}: ${type}, ${detail}`);
	}
}

function add(counts: Record<string, number>, name: string): void {
	counts[name] = (counts[name] ?? 0) + 1;
}
