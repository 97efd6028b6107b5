import { readFileSync } from 'node:fs';

const microsPerTick = 10_000;

/** The CPU time of a process and all its threads, in microseconds; `undefined` where there is no `/proc`. */
export function processCpuMicros(pid: number): number | undefined {
	try {
		const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
		// The name of the program is in parentheses, and may contain spaces and parentheses itself.
		const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
		return (Number(fields[11]) + Number(fields[12])) * microsPerTick;
	} catch {
		return undefined;
	}
}
