import { CallTarget, type Era } from './call-target.js';
import type { Cores } from './cores.js';
import { type Measurement, type Peer, ratioTable, type Sample } from './measurement.js';
import type { Plan } from './plan.js';
import { type ServerKindName, serverKindNames, serverKinds } from './server-kinds.js';
import type { LoadResult } from './wrk.js';

/** Every server of 2026-07-28. */
export const statelessKinds = serverKindNames.filter((kind) => serverKinds[kind].only === 'stateless');

/** What is measured, in words, and in which era. */
interface Subject {
	readonly what: string;
	readonly era: Era;
	readonly peer?: Peer;
}

/** Measures the speed of `tools/call` on established sessions; one table for each concurrency. */
export function measureCalls(plan: Plan, cores: Cores | undefined, log: (line: string) => void): Promise<Measurement> {
	const subject = { what: '`tools/call` of an echo tool on an established session', era: 'sessions' } as const;
	return measure(plan.kinds, subject, plan, cores, log);
}

/** Measures the speed of `tools/call` of 2026-07-28, which has no sessions; one table for each concurrency. */
export function measureStateless(
	plan: Plan,
	cores: Cores | undefined,
	log: (line: string) => void,
): Promise<Measurement> {
	const named = statelessKinds.filter((kind) => plan.kinds.includes(kind));
	const peer = { kind: 'stateless-sdk2', title: 'SDK v2' } as const;
	const subject = {
		what: '`tools/call` of an echo tool without a session (2026-07-28)',
		era: 'stateless',
		peer,
	} as const;
	return measure(named.length > 0 ? named : statelessKinds, subject, plan, cores, log);
}

async function measure(
	kinds: readonly ServerKindName[],
	subject: Subject,
	plan: Plan,
	cores: Cores | undefined,
	log: (line: string) => void,
): Promise<Measurement> {
	const targets: CallTarget[] = [];
	try {
		for (const kind of ['raw', ...kinds] as const) {
			log(`tools/call: warming up ${kind}`);
			targets.push(await CallTarget.prepare(kind, plan, cores, subject.era));
		}
		return await measureInRounds(targets, subject, plan, log);
	} finally {
		await Promise.all(targets.map((target) => target[Symbol.asyncDispose]()));
	}
}

async function measureInRounds(
	[raw, ...targets]: readonly CallTarget[],
	{ what, peer }: Subject,
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
		title: `${what}, concurrency ${connections}`,
		markdown: ratioTable(runs, 'calls', peer),
		rows: targets.map(({ server }) => serverKinds[server.kind].title),
	}));
	return { tables, problems: [...problems] };
}
