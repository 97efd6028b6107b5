/** Measures everything and prints the report; `--help` lists the options. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { chooseCores } from './cores.js';
import { measureCalls, measureStateless, statelessKinds } from './measure-calls.js';
import { measureConversations } from './measure-conversations.js';
import { measureCurves } from './measure-curves.js';
import { fanoutKinds, measureFanout } from './measure-fanout.js';
import { measureHeap } from './measure-heap.js';
import { measureNodes } from './measure-nodes.js';
import { measureOpenings } from './measure-openings.js';
import { measureReconnects } from './measure-reconnects.js';
import { measureSessions } from './measure-sessions.js';
import { measureStores } from './measure-stores.js';
import { measureSubscribers } from './measure-subscribers.js';
import type { Measurement } from './measurement.js';
import { fullPlan, type Plan, smokePlan } from './plan.js';
import { ratioPlot } from './ratio-plot.js';
import { report } from './report.js';
import { isServerKindName, serverKindNames, serverKinds } from './server-kinds.js';
import { tableBars } from './table-bars.js';
import { runCommand, UsageError } from './usage-error.js';
import { requireWrk } from './wrk.js';

const measurements = new Map([
	['calls', measureCalls],
	['stateless', measureStateless],
	['sessions', measureSessions],
	['heap', measureHeap],
	['fanout', measureFanout],
	['openings', measureOpenings],
	['reconnects', measureReconnects],
	['nodes', measureNodes],
	['stores', measureStores],
	['subscribers', measureSubscribers],
	['conversations', measureConversations],
	['curves', measureCurves],
]);
const peers = serverKindNames.filter((kind) => kind !== 'raw' && !('only' in serverKinds[kind]));

const everything = [...measurements.keys()].join();

const usage = `Usage: npm run bench -- [options]
  --write             also write benchmarks/RESULTS.md and results.svg, from a run of all measurements
  --smoke             a few seconds that check that everything works; the numbers mean nothing
  --only <names>      some measurements: ${[...measurements.keys()].join(', ')}
  --kinds <names>     some servers: ${peers.join(', ')};
                      of stateless: ${statelessKinds.join(', ')}
                      of fanout: ${fanoutKinds.join(', ')}
  --rounds <n>        rounds (${fullPlan.rounds} of calls, ${fullPlan.sessionRounds} of sessions)
  --seconds <n>       seconds of one timed run (${fullPlan.measureMs / 1000})
  --warm-up <n>       seconds of load on each server before anything is timed (${fullPlan.warmUpMs / 1000})
  --conversations <n> conversations in a store (${fullPlan.conversations})
  --streams <n>       open streams of each server of fanout (${fullPlan.fanoutStreams})
  --concurrency <ns>  requests in flight (${fullPlan.concurrency.join(',')})`;

const { values: options } = parseArgs({
	options: {
		write: { type: 'boolean', default: false },
		smoke: { type: 'boolean', default: false },
		help: { type: 'boolean', default: false },
		only: { type: 'string', default: everything },
		kinds: { type: 'string', default: peers.join() },
		rounds: { type: 'string' },
		seconds: { type: 'string' },
		'warm-up': { type: 'string' },
		streams: { type: 'string' },
		conversations: { type: 'string' },
		concurrency: { type: 'string' },
	},
});

if (options.help) console.log(usage);
else await runCommand(run);

async function run(): Promise<void> {
	if (options.write && options.only !== everything)
		throw new UsageError('--write keeps whole reports: leave --only out.');
	requireWrk();
	const plan = chosenPlan();
	const cores = chooseCores();
	const results: Measurement[] = [];
	for (const name of options.only.split(',')) {
		const measure = measurements.get(name);
		if (!measure) throw new UsageError(`There is no measurement "${name}".\n${usage}`);
		results.push(
			await whatIsLeft(
				name,
				measure(plan, cores, (line) => console.error(line)),
			),
		);
	}
	const text = report(results, plan, cores);
	console.log(`\n${text}`);
	const problems = results.flatMap((result) => result.problems);
	for (const problem of problems) console.error(`Failed: ${problem}`);
	if (problems.length > 0) process.exitCode = 1;
	const file = keep(options.smoke ? 'results/smoke.md' : 'results/latest.md', text);
	const plot = ratioPlot(tableBars(results.flatMap(({ tables }) => tables)));
	keep(options.smoke ? 'results/smoke.svg' : 'results/latest.svg', plot);
	if (options.write) {
		keep('RESULTS.md', text);
		keep('results.svg', plot);
	}
	if (options.smoke) assertComplete(readFileSync(file, 'utf8'), results, plan);
}

/** A measurement that fails is a problem of the report, and does not lose the ones before it. */
async function whatIsLeft(name: string, measuring: Promise<Measurement>): Promise<Measurement> {
	try {
		return await measuring;
	} catch (error) {
		console.error(error);
		return { tables: [], problems: [`${name}: ${error}`] };
	}
}

function chosenPlan(): Plan {
	const base = options.smoke ? smokePlan : fullPlan;
	return {
		...base,
		kinds: options.kinds.split(',').map((name) => {
			if (isServerKindName(name) && name !== 'raw') return name;
			throw new UsageError(`There is no server "${name}" to compare.\n${usage}`);
		}),
		rounds: number(options.rounds) ?? base.rounds,
		sessionRounds: number(options.rounds) ?? base.sessionRounds,
		measureMs: (number(options.seconds) ?? base.measureMs / 1000) * 1000,
		warmUpMs: (number(options['warm-up']) ?? base.warmUpMs / 1000) * 1000,
		conversations: number(options.conversations) ?? base.conversations,
		fanoutStreams: number(options.streams) ?? base.fanoutStreams,
		concurrency: options.concurrency?.split(',').flatMap((text) => number(text) ?? []) ?? base.concurrency,
	};
}

function number(text: string | undefined): number | undefined {
	if (text === undefined) return undefined;
	const value = Number(text);
	if (value > 0) return value;
	throw new UsageError(`"${text}" is not a number above 0.\n${usage}`);
}

function keep(name: string, text: string): string {
	const file = fileURLToPath(new URL(`../${name}`, import.meta.url));
	mkdirSync(new URL('.', new URL(`../${name}`, import.meta.url)), { recursive: true });
	writeFileSync(file, text);
	return file;
}

/** Asserts that every measurement produced its tables, with a number for each server. */
function assertComplete(text: string, results: readonly Measurement[], plan: Plan): void {
	for (const { tables } of results) {
		assert.ok(tables.length > 0, 'A measurement gave no table.');
		for (const { title, markdown, rows = plan.kinds.map((kind) => serverKinds[kind].title) } of tables) {
			assert.ok(text.includes(`${title}\n\n${markdown}\n`), `The report has no table of ${title}.`);
			for (const name of rows) {
				const row = markdown.split('\n').find((line) => line.startsWith(`| ${name} `));
				assert.match(row ?? '', /\| +-?\d+(\.\d+)?/, `There is no number for ${name} in ${title}.`);
			}
		}
	}
}
