import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type RunOptions, runSchedules } from './run.ts';

/** Runs what the command line asks for; answers the exit code. */
export async function main(args: readonly string[]): Promise<number> {
	const { values } = parseArgs({
		args: args.filter((argument) => argument !== '--'),
		options: {
			schedules: { type: 'string', default: '100' },
			seed: { type: 'string' },
			from: { type: 'string', default: '1' },
			topology: { type: 'string', default: 'standalone' },
			mutant: { type: 'string' },
			'stop-at-first': { type: 'boolean', default: false },
		},
	});
	const topology = values.topology as RunOptions['topology'];
	const seeds =
		values.seed === undefined
			? Array.from({ length: Number(values.schedules) }, (_, index) => Number(values.from) + index)
			: Array.from({ length: values.schedules === '100' ? 1 : Number(values.schedules) }, () => Number(values.seed));
	const folder = fileURLToPath(new URL('../../.cache/history', import.meta.url));
	const begunAt = performance.now();
	const totals = await runSchedules({
		topology,
		seeds,
		mutant: values.mutant,
		folder,
		onschedule({ seed, faults, violations }, { schedules }) {
			for (const { client, type, detail } of violations) console.log(`seed ${seed}, ${client}: ${type}, ${detail}`);
			if (violations.length > 0) console.log(`seed ${seed} had: ${faults.join('; ') || 'no fault'}`);
			if (schedules % 25 === 0)
				console.log(`${schedules} schedules, ${Math.round((performance.now() - begunAt) / 1_000)} s`);
			return !(values['stop-at-first'] && violations.length > 0);
		},
	});
	console.log(JSON.stringify({ topology, ...totals, violations: totals.violations.length }, null, '\t'));
	if (totals.violations.length > 0) console.log(`The histories are in ${folder}.`);
	return totals.violations.length === 0 ? 0 : 1;
}
