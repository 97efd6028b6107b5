import { randomInt } from 'node:crypto';

/** Returns the version with which something new begins: nobody has read it of what had the same name before. */
export function firstVersion(): number {
	return randomInt(1, 2 ** 47);
}
