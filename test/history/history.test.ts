import { describe, expect, test } from 'vitest';
import { check, REREAD_PARTS, type Received, type Sent } from './history.ts';
import { type RunOptions, runSchedules } from './run.ts';

const seeds = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

/** How many schedules, always the same ones; `pnpm run history` runs as many as you like. */
const schedules: readonly (readonly [RunOptions['topology'], number])[] = [
	['standalone', 16],
	['sentinel', 4],
	['cluster', 4],
	['postgres', 6],
	['sqlite', 6],
];

describe('while nodes die, connections are cut and stores restart or fail over', { timeout: 180_000 }, () => {
	test.concurrent.each(schedules)(
		'%s: every client gets every message once, in order, or is told to read again (%i schedules)',
		async (topology, count) => {
			const { violations, received } = await runSchedules({ topology, seeds: seeds(count) });
			expect(violations).toEqual([]);
			expect(received).toBeGreaterThan(0);
		},
	);
});

/** What the checker must say of a manager that breaks its promise so. */
const mutants = [
	['drops-a-message', /: gap|: stuck/],
	['delivers-twice', /: duplicate/],
	['swaps-two-messages', /: disorder/],
	['delivers-to-another-session', /: foreign/],
	['hides-gaps', /: gap/],
] as const;

describe('the checker', { timeout: 180_000 }, () => {
	test.concurrent.each(mutants)('catches a manager that %s', async (mutant, complaint) => {
		const { violations } = await runSchedules({
			topology: 'standalone',
			seeds: seeds(40),
			mutant,
			settleMs: 2_000,
			// Gaps are there to be hidden in every schedule.
			overflowChance: 1,
			onschedule: (_, totals) => !totals.violations.some((violation) => complaint.test(violation)),
		});
		expect(violations.filter((violation) => complaint.test(violation))).not.toEqual([]);
	});
});

describe('a missing message', () => {
	const lost: Sent = { writer: 'w', n: 1, to: ['c'], sentAt: 10, outcome: 'taken' };
	const notice = (at: number, parts = REREAD_PARTS): Received[] => parts.map((what) => ({ at, type: 'reread', what }));
	const judge = (received: readonly Received[], mayLose = true, sent = lost) => {
		const client = { name: 'c', begunAt: 0, attachedAt: 5, firstAttemptFailed: false, lostSession: false, received };
		return check(client, [sent], mayLose, { noticed: 0 }).map(({ type }) => type);
	};

	test('is no violation where the whole notice to read again came after it', () => {
		expect(judge(notice(30))).toEqual([]);
		// The writer may learn of the outcome later than the client of the loss.
		expect(judge(notice(15))).toEqual([]);
	});

	test('is a violation without a notice, with one that came before, or with half of one', () => {
		expect(judge([])).toEqual(['gap']);
		expect(judge(notice(9))).toEqual(['gap']);
		expect(judge(notice(30, REREAD_PARTS.slice(1)))).toEqual(['gap']);
	});

	test('is a violation, notice or not, where the store lost nothing', () => {
		expect(judge(notice(30), false)).toEqual(['gap']);
	});

	test('is no violation where its writer did not learn that it was taken', () => {
		expect(judge([], true, { ...lost, outcome: 'unknown' })).toEqual([]);
	});
});
