import { readFileSync } from 'node:fs';

const microsPerTick = 10_000;

/** Microseconds of CPU that a process has used, all its threads together; `undefined` where there is no `/proc`. */
export function processCpuMicros(pid: number): number | undefined {
	try {
		const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
		// The name of the program is in parentheses and may itself contain spaces and parentheses.
		const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
		return (Number(fields[11]) + Number(fields[12])) * microsPerTick;
	} catch {
		return undefined;
	}
}
