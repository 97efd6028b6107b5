import { BenchStores } from './bench-stores.js';
import type { Cores } from './cores.js';
import { FanoutClients } from './fanout-clients.js';
import { markdownTable } from './markdown-table.js';
import { openSessions } from './mcp-client.js';
import type { MeasuredTable, Measurement } from './measurement.js';
import { median } from './median.js';
import type { Plan } from './plan.js';
import { type ServerKindName, serverKinds } from './server-kinds.js';
import { ServerProcess } from './server-process.js';

const RAW = 'streams-raw';
const kinds = [RAW, 'streams-redis', 'streams-postgres', 'streams-sqlite'] as const satisfies ServerKindName[];
/** The node that takes the clients of another over: as it has just started, and as it is where it has its own. */
const others = [
	{ title: 'on a node that has just started', clients: 0 },
	{ title: 'on a node that has clients of its own', clients: 5_000 },
] as const;

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
	const rounds = Math.ceil(plan.rounds / 4);
	const measured = others.map((other) => ({ ...other, runs: new Map<ServerKindName, Reconnected[]>() }));
	await using _stores = await BenchStores.start();
	for (let round = 0; round < rounds; round++) {
		for (const { title, clients, runs } of measured) {
			for (const kind of kinds) {
				log(`reconnects: ${kind}, ${plan.streams} clients, ${title}, round ${round + 1} of ${rounds}`);
				const run = await reconnected(kind, plan.streams, Math.min(clients, plan.streams), cores);
				runs.set(kind, [...(runs.get(kind) ?? []), run]);
			}
		}
	}
	const tables = measured.map(({ title, runs }) => ({
		title: `${plan.streams} clients reconnect after the death of their node, ${title}`,
		...tableOf(runs),
	}));
	return { tables, problems: [] };
}

function tableOf(runs: ReadonlyMap<ServerKindName, readonly Reconnected[]>): Omit<MeasuredTable, 'title'> {
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
	return { markdown: markdownTable(header, rows), rows: rows.map(([name = '']) => name) };
}

/** Kills a node, and checks that afterwards a broadcast of the other reaches each of its clients once. */
async function reconnected(
	kind: ServerKindName,
	count: number,
	ownClients: number,
	cores: Cores | undefined,
): Promise<Reconnected> {
	await using dying = await ServerProcess.start(kind, cores);
	await using other = await ServerProcess.start(kind, cores);
	// It has the connections to its store.
	await openSessions(other, 50);
	using _own =
		ownClients > 0 ? await FanoutClients.open(other, await openSessions(other, ownClients), cores) : undefined;
	using clients = await FanoutClients.open(dying, await openSessions(dying, count), cores, other);
	const before = await other.exactCpuMicros();
	const moved = clients.report();
	await dying[Symbol.asyncDispose]();
	const report = await moved;
	if (!('lostAt' in report)) throw new Error('The clients reported something else than that they are open again.');
	const cpuMicros = ((await other.exactCpuMicros()) - before) / count;
	const heard = clients.report();
	await other.broadcast();
	await heard;
	return { ms: (report.openAt - report.lostAt) / 1e6, cpuMicros };
}

function decimals(value: number | undefined, digits: number): string {
	return value === undefined || !Number.isFinite(value) ? '–' : value.toFixed(digits);
}
