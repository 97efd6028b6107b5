import { CallTarget } from './call-target.js';
import type { Cores } from './cores.js';
import { type Measurement, ratioTable, type Sample } from './measurement.js';
import type { Plan } from './plan.js';
import type { LoadResult } from './wrk.js';

/** Measures the speed of `tools/call` on established sessions; one table for each concurrency. */
export async function measureCalls(
	plan: Plan,
	cores: Cores | undefined,
	log: (line: string) => void,
): Promise<Measurement> {
	const targets: CallTarget[] = [];
	try {
		for (const kind of ['raw', ...plan.kinds] as const) {
			log(`tools/call: warming up ${kind}`);
			targets.push(await CallTarget.prepare(kind, plan, cores));
		}
		return await measureInRounds(targets, plan, log);
	} finally {
		await Promise.all(targets.map((target) => target[Symbol.asyncDispose]()));
	}
}

async function measureInRounds(
	[raw, ...targets]: readonly CallTarget[],
	plan: Plan,
	log: (line: string) => void,
): Promise<Measurement> {
	if (!raw) throw new TypeError('Raw HTTP must be among the servers.');
	const problems = new Set<string>();
	const load = async (target: CallTarget, connections: number): Promise<LoadResult> => {
		const result = await target.load(connections, plan.measureMs);
		const problem = target.problemOf(result);
		if (problem) problems.add(`${problem}, at concurrency ${connections}`);
		return result;
	};
	const samples = new Map<number, Sample[]>(plan.concurrency.map((connections) => [connections, []]));
	for (let round = 0; round < plan.rounds; round++) {
		for (const [connections, runs] of samples) {
			log(`tools/call: round ${round + 1} of ${plan.rounds}, concurrency ${connections}`);
			let before = await load(raw, connections);
			for (const target of targets) {
				const result = await load(target, connections);
				const after = await load(raw, connections);
				runs.push({ kind: target.server.kind, round, result, raw: [before, after] });
				before = after;
			}
		}
	}
	const tables = [...samples].map(([connections, runs]) => ({
		title: `\`tools/call\` of an echo tool on an established session, concurrency ${connections}`,
		markdown: ratioTable(runs, 'calls'),
	}));
	return { tables, problems: [...problems] };
}
