import { markdownTable } from './markdown-table.js';
import { median } from './median.js';
import { type ServerKindName, serverKinds } from './server-kinds.js';
import type { LoadResult } from './wrk.js';

/** One timed run of a server, with the run of raw HTTP that went immediately before it. */
export interface Sample {
	readonly kind: ServerKindName;
	readonly round: number;
	readonly result: LoadResult;
	readonly raw: LoadResult;
}

/** What one measurement adds to the report, and what went wrong meanwhile: nothing, in a run that counts. */
export interface Measurement {
	readonly tables: readonly { readonly title: string; readonly markdown: string }[];
	readonly problems: readonly string[];
}

/**
 * A table of medians over the rounds. Both ratios are made within a round, through the run of raw HTTP beside each run,
 * so that a machine whose speed drifts does not drift into them.
 */
export function ratioTable(samples: readonly Sample[], completion: string): string {
	const kinds = [...new Set(samples.map((sample) => sample.kind))];
	const raws = samples.map((sample) => sample.raw);
	const rows = kinds.map((kind) => {
		const runs = samples.filter((sample) => sample.kind === kind);
		const ratios = runs.map(ratioToRaw);
		const toPeer = runs.flatMap((run) => {
			const peer = samples.find((other) => other.kind === 'sdk1' && other.round === run.round);
			return peer ? [ratioToRaw(run) / ratioToRaw(peer)] : [];
		});
		const cpuRatios = runs.flatMap(({ result, raw }) =>
			result.cpuMicros && raw.cpuMicros ? [raw.cpuMicros / result.cpuMicros] : [],
		);
		return [
			serverKinds[kind].title,
			...absolutes(runs.map((run) => run.result)),
			`${decimals(median(ratios), 3)} (${decimals(Math.min(...ratios), 3)}–${decimals(Math.max(...ratios), 3)})`,
			decimals(median(cpuRatios), 3),
			decimals(median(toPeer), 1),
		];
	});
	return markdownTable(
		['server', `${completion}/s`, 'CPU µs', 'p50 ms', 'p99 ms', 'generator', 'of raw', 'of raw, by CPU', '× SDK v1'],
		[[serverKinds.raw.title, ...absolutes(raws), '1', '1', ''], ...rows],
	);
}

function ratioToRaw({ result, raw }: Sample): number {
	return result.perSecond / raw.perSecond;
}

function absolutes(results: readonly LoadResult[]): string[] {
	const of = (pick: (result: LoadResult) => number | undefined) =>
		median(results.flatMap((result) => pick(result) ?? []));
	const use = of((result) => result.generatorUse);
	return [
		decimals(
			of((result) => result.perSecond),
			0,
		),
		decimals(
			of((result) => result.cpuMicros),
			1,
		),
		decimals(
			of((result) => result.p50Ms),
			2,
		),
		decimals(
			of((result) => result.p99Ms),
			2,
		),
		use === undefined ? '–' : `${(use * 100).toFixed(0)} %`,
	];
}

function decimals(value: number | undefined, digits: number): string {
	return value === undefined || !Number.isFinite(value) ? '–' : value.toFixed(digits);
}
