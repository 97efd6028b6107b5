import type { Report } from './finding.js';

/** From which difference on clocks are wrong, in milliseconds. */
const SKEW_MS = 5_000;

/** Compares the clock of a store, which showed `time` between `asked` and `answered`, with this machine's. */
export function examineClock(whose: string, time: number, asked: number, answered: number, report: Report): void {
	const off = time < asked ? time - asked : Math.max(0, time - answered);
	if (Math.abs(off) < SKEW_MS) return;
	const what = `The clock of ${whose} is ${Math.abs(Math.round(off / 1_000))} s ${off < 0 ? 'behind' : 'ahead of'} this machine's.`;
	report('clock-skew', what, 'Run a time service (chrony, systemd-timesyncd) on both machines.');
}
