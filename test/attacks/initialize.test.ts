import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const run = promisify(execFile);
const MIB = 1024 * 1024;

/** What a node of a bounded heap says after 1,500 clients have told it `tale`. */
async function flood(tale: 'objects' | 'most', heapMib: number) {
	const program = fileURLToPath(new URL('initialize-flood.mjs', import.meta.url));
	const flags = [`--max-old-space-size=${heapMib}`, '--expose-gc'];
	const { stdout } = await run(process.execPath, [...flags, program, tale], { timeout: 110_000 });
	return JSON.parse(stdout) as { statuses: Record<string, number>; heap: number; sessions: number };
}

it('clients that say too much of themselves are refused, and leave nothing', { timeout: 120_000 }, async () => {
	const { statuses, heap, sessions } = await flood('objects', 128);
	expect([statuses, sessions]).toEqual([{ '200 -32602': 1_500 }, 0]);
	expect(heap).toBeLessThan(64 * MIB);
});

it('1,500 clients that say all that they may keep the heap of a node bounded', { timeout: 120_000 }, async () => {
	const { statuses, heap, sessions } = await flood('most', 768);
	// The store holds 64 MiB of text; then the session that was unused longest makes room for the next.
	expect(statuses).toEqual({ '200': 1_500 });
	expect(sessions).toBeLessThan(1_500);
	expect(heap).toBeLessThan(512 * MIB);
});
