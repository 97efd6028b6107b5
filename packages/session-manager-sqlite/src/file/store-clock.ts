import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { systemClock } from '@holdfast/session-manager/custom';

/** By how much two readings of the same boot may differ where the system has no name for it, in milliseconds. */
const SAME_BOOT_MS = 60_000;

/**
 * Returns the milliseconds since the host was started. All processes of a host read the same, and nobody can set it.
 */
export function hostTime(): number {
	return Number(process.hrtime.bigint()) / 1e6;
}

/** Returns what names the time since the host was started. */
export function currentBoot(): string {
	try {
		return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
	} catch {
		return `at ${Math.round(systemClock.now() - uptime() * 1_000)}`;
	}
}

/** Returns whether two names are of the same boot. */
export function isSameBoot(one: string, other: string): boolean {
	if (one === other) return true;
	const [begin, otherBegin] = [one, other].map((boot) => Number(/^at (\d+)$/.exec(boot)?.[1] ?? Number.NaN));
	return Math.abs((begin ?? Number.NaN) - (otherBegin ?? Number.NaN)) < SAME_BOOT_MS;
}

/** Returns a new epoch: another one than any before. */
export function newEpoch(): string {
	return randomBytes(6).toString('hex');
}
