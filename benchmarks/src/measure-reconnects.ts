import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BenchStores } from './bench-stores.js';
import { type Cores, pinned } from './cores.js';
import type { FanoutReport } from './fanout-report.js';
import { markdownTable } from './markdown-table.js';
import { openSessions } from './mcp-client.js';
import type { Measurement } from './measurement.js';
import { median } from './median.js';
import type { Plan } from './plan.js';
import { type ServerKindName, serverKinds } from './server-kinds.js';
import { ServerProcess } from './server-process.js';

const RAW = 'streams-raw';
const kinds = [RAW, 'streams-redis', 'streams-postgres', 'streams-sqlite'] as const satisfies ServerKindName[];
const program = fileURLToPath(new URL('./fanout-client.js', import.meta.url));
const DEADLINE_MS = 120_000;

/** What came after the death of a node: how long until all were served again, and the CPU time of the other for each. */
interface Reconnected {
	readonly ms: number;
	readonly cpuMicros: number;
}

/**
 * Measures how soon the clients of a node that was killed have their streams again, on another node that has served
 * none of them. Each names the last event that it has seen. They come as fast as they are served, 64 at a time.
 */
export async function measureReconnects(
	plan: Plan,
	cores: Cores | undefined,
	log: (line: string) => void,
): Promise<Measurement> {
	const stores = await BenchStores.start();
	const folder = mkdtempSync(join(tmpdir(), 'holdfast-reconnects-'));
	const runs = new Map<ServerKindName, Reconnected[]>();
	try {
		const rounds = Math.ceil(plan.rounds / 4);
		for (let round = 0; round < rounds; round++) {
			for (const kind of kinds) {
				log(`reconnects: ${kind}, ${plan.streams} clients, round ${round + 1} of ${rounds}`);
				const run = await reconnected(kind, plan.streams, cores, join(folder, 'sessions'));
				runs.set(kind, [...(runs.get(kind) ?? []), run]);
			}
		}
	} finally {
		await stores[Symbol.asyncDispose]();
		rmSync(folder, { recursive: true });
	}
	const rows = kinds.map((kind) => {
		const [own = [], raw = []] = [runs.get(kind), runs.get(RAW)];
		const ratio = (of: (run: Reconnected) => number) =>
			decimals(median(own.map((run, round) => of(run) / of(raw[round] ?? run))), 2);
		return [
			serverKinds[kind].title,
			decimals(median(own.map(({ ms }) => ms)), 0),
			ratio(({ ms }) => ms),
			decimals(median(own.map(({ cpuMicros }) => cpuMicros)), 0),
			ratio(({ cpuMicros }) => cpuMicros),
		];
	});
	const header = ['', 'ms until all are served', 'times raw', 'CPU µs/stream', 'times raw'];
	const title = `${plan.streams} clients reconnect after the death of their node`;
	return {
		tables: [{ title, markdown: markdownTable(header, rows), rows: rows.map(([name = '']) => name) }],
		problems: [],
	};
}

/** Kills a node, and checks that afterwards a broadcast of the other reaches each of its clients once. */
async function reconnected(
	kind: ServerKindName,
	count: number,
	cores: Cores | undefined,
	file: string,
): Promise<Reconnected> {
	await using dying = await ServerProcess.start(kind, cores);
	await using other = await ServerProcess.start(kind, cores);
	// It has the connections to its store.
	await openSessions(other, 50);
	writeFileSync(file, (await openSessions(dying, count)).join('\n'));
	const args = [program, String(dying.port), file, String(other.port)];
	const client = spawn(...pinned(cores?.generator, process.execPath, args), {
		stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
	});
	const reported = async (): Promise<FanoutReport> => {
		const [report] = (await once(client, 'message', { signal: AbortSignal.timeout(DEADLINE_MS) })) as [FanoutReport];
		if ('error' in report) throw new Error(`${serverKinds[kind].title}: ${report.error}`);
		return report;
	};
	try {
		await reported();
		const before = await other.exactCpuMicros();
		const moved = reported();
		await dying[Symbol.asyncDispose]();
		const report = await moved;
		if (!('lostAt' in report)) throw new Error('The clients reported something else than that they are open again.');
		const cpuMicros = ((await other.exactCpuMicros()) - before) / count;
		const heard = reported();
		await other.broadcast();
		await heard;
		return { ms: (report.openAt - report.lostAt) / 1e6, cpuMicros };
	} finally {
		client.kill('SIGKILL');
	}
}

function decimals(value: number | undefined, digits: number): string {
	return value === undefined || !Number.isFinite(value) ? '–' : value.toFixed(digits);
}
