import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { EngineName } from './engines/index.ts';
import { runSchedules } from './run.ts';

/** Runs what the command line asks for; answers the exit code. */
export async function main(args: readonly string[]): Promise<number> {
	const { values } = parseArgs({
		args: args.filter((argument) => argument !== '--'),
		options: {
			schedules: { type: 'string' },
			seed: { type: 'string' },
			from: { type: 'string', default: '1' },
			engine: { type: 'string', default: 'redis' },
			mutant: { type: 'string' },
			'max-faults': { type: 'string', default: '3' },
			long: { type: 'boolean', default: false },
			'stop-at-first': { type: 'boolean', default: false },
		},
	});
	const engine = values.engine as EngineName;
	const count = Number(values.schedules ?? (values.seed === undefined ? 100 : 1));
	const seeds = Array.from({ length: count }, (_, index) => Number(values.seed ?? Number(values.from) + index));
	const folder = fileURLToPath(new URL('../../.cache/calls', import.meta.url));
	const begunAt = performance.now();
	const totals = await runSchedules({
		engine,
		seeds,
		mutant: values.mutant,
		folder,
		maxFaults: Number(values['max-faults']),
		long: values.long,
		onschedule({ seed, faults, violations }, { schedules }) {
			for (const { of, type, detail } of violations) console.log(`seed ${seed}, ${of}: ${type}, ${detail}`);
			if (violations.length > 0) console.log(`seed ${seed} had: ${faults.join('; ') || 'no fault'}`);
			if (schedules % 25 === 0)
				console.log(`${schedules} schedules, ${Math.round((performance.now() - begunAt) / 1_000)} s`);
			return !(values['stop-at-first'] && violations.length > 0);
		},
	});
	console.log(JSON.stringify({ engine, ...totals, violations: totals.violations.length }, null, '\t'));
	if (totals.violations.length > 0) console.log(`The histories are in ${folder}.`);
	return totals.violations.length === 0 ? 0 : 1;
}
