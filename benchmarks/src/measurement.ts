import { markdownTable } from './markdown-table.js';
import { median } from './median.js';
import { type ServerKindName, serverKinds } from './server-kinds.js';
import type { LoadResult } from './wrk.js';

/** One timed run of a server, with the runs of raw HTTP immediately before and after. */
export interface Sample {
	readonly kind: ServerKindName;
	readonly round: number;
	readonly result: LoadResult;
	readonly raw: readonly LoadResult[];
}

/** A table of the report. */
export interface MeasuredTable {
	readonly title: string;
	readonly markdown: string;
	/** The names of the rows; absent: one row for each server. */
	readonly rows?: readonly string[];
	/** What to know when reading it, written below it. */
	readonly note?: string;
}

/** What one measurement adds to the report, and its failures: none, in a valid run. */
export interface Measurement {
	readonly tables: readonly MeasuredTable[];
	readonly problems: readonly string[];
}

const columns: readonly (readonly [title: string, digits: number, (result: LoadResult) => number | undefined])[] = [
	['CPU µs', 1, (result) => result.cpuMicros],
	['p50 ms', 2, (result) => result.p50Ms],
	['p99 ms', 2, (result) => result.p99Ms],
	['server', 2, (result) => result.serverUse],
	['generator', 2, (result) => result.generatorUse],
];

/** Whom the servers of a table are compared with, besides raw HTTP. */
export interface Peer {
	readonly kind: ServerKindName;
	readonly title: string;
}

const sdk1: Peer = { kind: 'sdk1', title: 'SDK v1' };

/**
 * A table of medians over the rounds. Each ratio is computed within a round, with the runs of raw HTTP beside each run,
 * so that a drift in the machine's speed cancels out.
 */
export function ratioTable(samples: readonly Sample[], completion: string, peer: Peer = sdk1): string {
	const rows = [...new Set(samples.map((sample) => sample.kind))].map((kind) => {
		const runs = samples.filter((sample) => sample.kind === kind);
		const speed = runs.map(speedOfRaw);
		return [
			serverKinds[kind].title,
			...absolutes(runs.map((run) => run.result)),
			`${decimals(median(speed), 3)} (${decimals(Math.min(...speed), 3)}–${decimals(Math.max(...speed), 3)})`,
			decimals(median(runs.flatMap((run) => cpuOfRaw(run) ?? [])), 3),
			decimals(median(timesPeer(runs, samples, peer, speedOfRaw)), 1),
			decimals(median(timesPeer(runs, samples, peer, cpuOfRaw)), 1),
		];
	});
	return markdownTable(
		[
			'',
			`${completion}/s`,
			...columns.map(([title]) => title),
			'of raw',
			'of raw, by CPU',
			`× ${peer.title}`,
			`× ${peer.title}, by CPU`,
		],
		[[serverKinds.raw.title, ...absolutes(samples.flatMap((sample) => sample.raw)), '1', '1', '', ''], ...rows],
	);
}

function speedOfRaw({ result, raw }: Sample): number {
	return result.perSecond / (mean(raw.map((run) => run.perSecond)) ?? Number.NaN);
}

/** The CPU time of raw HTTP over the server's; `undefined` where it is unknown. */
function cpuOfRaw({ result, raw }: Sample): number | undefined {
	const rawMicros = mean(raw.flatMap((run) => run.cpuMicros ?? []));
	return rawMicros && result.cpuMicros ? rawMicros / result.cpuMicros : undefined;
}

/** The ratio of each run to that of `peer` in the same round. */
function timesPeer(
	runs: readonly Sample[],
	all: readonly Sample[],
	{ kind }: Peer,
	ratio: (sample: Sample) => number | undefined,
): number[] {
	return runs.flatMap((run) => {
		const beside = all.find((other) => other.kind === kind && other.round === run.round);
		const value = ratio(run);
		const other = beside && ratio(beside);
		return value && other ? [value / other] : [];
	});
}

function absolutes(results: readonly LoadResult[]): string[] {
	const of = (digits: number, pick: (result: LoadResult) => number | undefined) =>
		decimals(median(results.flatMap((result) => pick(result) ?? [])), digits);
	return [of(0, (result) => result.perSecond), ...columns.map(([, digits, pick]) => of(digits, pick))];
}

function mean(values: readonly number[]): number | undefined {
	return values.length > 0 ? values.reduce((sum, value) => sum + value, 0) / values.length : undefined;
}

function decimals(value: number | undefined, digits: number): string {
	return value === undefined || !Number.isFinite(value) ? '–' : value.toFixed(digits);
}
