import { describe, expect, test } from 'vitest';
import type { EngineName } from './engines/index.ts';
import { runSchedules } from './run.ts';

const seeds = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

/** How many schedules, always the same ones; `pnpm run calls` runs as many as you like. */
const schedules: readonly (readonly [EngineName, number])[] = [
	['redis', 6],
	['postgres', 4],
	['sqlite', 3],
	['memory', 4],
];

describe('while nodes die, hang and leave, and clients and stores lose their connections', { timeout: 180_000 }, () => {
	test.concurrent.each(schedules)(
		'%s: every accepted call ends once, and every 202 has its effect (%i schedules)',
		async (engine, count) => {
			const { violations, taken } = await runSchedules({ engine, seeds: seeds(count) });
			expect(violations).toEqual([]);
			expect(taken).toMatchObject({ answers: expect.any(Number), cancels: expect.any(Number) });
		},
	);
});

/** What the checker must say of managers that break a promise so. */
const mutants: readonly (readonly [mutant: string, engine: EngineName, complaint: RegExp])[] = [
	['loses-the-last-event', 'memory', /: no end, the client waits/],
	['sends-the-last-event-twice', 'memory', /: two ends, .*"result".* and .*"result"/],
	['mixes-up-clients', 'redis', /: wrong end, it was made for/],
	['swallows-forwarded-answers', 'redis', /: answer lost/],
	['swallows-forwarded-progress', 'redis', /: progress lost/],
	['ignores-cancels-of-other-nodes', 'redis', /: cancel lost/],
	['serves-ended-sessions', 'redis', /: served after its end/],
];

describe('the checker', { timeout: 180_000 }, () => {
	test.concurrent.each(mutants)('catches managers of which one %s', async (mutant, engine, complaint) => {
		const caught = (violations: readonly string[]) => violations.filter((violation) => complaint.test(violation));
		const { violations } = await runSchedules({
			engine,
			seeds: seeds(12),
			mutant,
			settleMs: 2_000,
			// What a fault does must not be taken for what the mutant does.
			maxFaults: 0,
			onschedule: (_, totals) => caught(totals.violations).length === 0,
		});
		expect(caught(violations)).not.toEqual([]);
	});
});
