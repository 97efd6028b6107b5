import type { Cores } from './cores.js';
import { markdownTable } from './markdown-table.js';
import { assertEchoes, openSessions } from './mcp-client.js';
import type { Measurement } from './measurement.js';
import type { Plan } from './plan.js';
import { serverKinds } from './server-kinds.js';
import { ServerProcess } from './server-process.js';

/** Measures the heap of an initialized session after garbage collection, at several numbers of sessions. */
export async function measureHeap(
	plan: Plan,
	cores: Cores | undefined,
	log: (line: string) => void,
): Promise<Measurement> {
	const rows: string[][] = [];
	for (const kind of plan.kinds) {
		log(`heap: ${kind}`);
		await using server = await ServerProcess.start(kind, cores);
		// Excludes what the first sessions allocate once for all.
		const early = await openSessions(server, Math.ceil((plan.heapSessions[0] ?? 0) / 5));
		await assertEchoes(server, early.slice(0, 1));
		const before = await server.heapBytes();
		const row: string[] = [];
		let opened = 0;
		for (const count of plan.heapSessions) {
			await openSessions(server, count - opened);
			opened = count;
			row.push((((await server.heapBytes()) - before) / count / 1024).toFixed(1));
		}
		rows.push([serverKinds[kind].title, ...row]);
	}
	const header = ['server', ...plan.heapSessions.map((count) => `KB/session, ${count} sessions`)];
	return { tables: [{ title: 'Heap of an initialized session', markdown: markdownTable(header, rows) }], problems: [] };
}
