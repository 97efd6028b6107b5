import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

/** What Holdfast's own code may allocate, in bytes: a fifth more than it does. */
const limits = { call: 3_600, session: 22_500 };

interface Allocated {
	readonly total: number;
	/** By file. */
	readonly files: Readonly<Record<string, number>>;
}

test('a call of a tool, and a new session, allocate no more than they did', async () => {
	const program = fileURLToPath(new URL('allocating-server.mjs', import.meta.url));
	const { stdout } = await promisify(execFile)(process.execPath, [program]);
	const allocated = JSON.parse(stdout) as Record<keyof typeof limits, Allocated>;
	for (const [name, limit] of Object.entries(limits)) {
		const { total, files } = allocated[name as keyof typeof limits];
		expect(total, JSON.stringify(files)).toBeGreaterThan(limit / 3);
		expect(total, `bytes for each ${name}: ${JSON.stringify(files)}`).toBeLessThan(limit);
	}
}, 120_000);
