import { BenchStores } from './bench-stores.js';
import type { Cores } from './cores.js';
import { FanoutClients } from './fanout-clients.js';
import { markdownTable } from './markdown-table.js';
import { openSessions } from './mcp-client.js';
import type { Measurement } from './measurement.js';
import { median } from './median.js';
import type { Plan } from './plan.js';
import { type ServerKindName, serverKinds } from './server-kinds.js';
import { ServerProcess } from './server-process.js';

const RAW = 'streams-raw';
const kinds = [
	RAW,
	'streams-memory',
	'streams-redis',
	'streams-postgres',
	'streams-sqlite',
] as const satisfies ServerKindName[];

/** The CPU time of the server for each stream, in microseconds. */
interface Opened {
	/** Of the first streams of the process, while V8 compiles what opens them. */
	readonly first: number;
	/** Of as many that follow. */
	readonly next: number;
}

/**
 * Measures what opening a stream costs a process that has just started, and one that runs. The servers take turns, with
 * a process of its own in each round.
 */
export async function measureOpenings(
	plan: Plan,
	cores: Cores | undefined,
	log: (line: string) => void,
): Promise<Measurement> {
	const count = plan.fanoutStreams;
	const stores = await BenchStores.start();
	const runs = new Map<ServerKindName, Opened[]>();
	try {
		const rounds = Math.ceil(plan.rounds / 3);
		for (let round = 0; round < rounds; round++) {
			for (const kind of kinds) {
				log(`openings: ${kind}, round ${round + 1} of ${rounds}`);
				runs.set(kind, [...(runs.get(kind) ?? []), await opened(kind, count, cores)]);
			}
		}
	} finally {
		await stores[Symbol.asyncDispose]();
	}
	const middle = (kind: ServerKindName, part: keyof Opened) => median((runs.get(kind) ?? []).map((run) => run[part]));
	const rows = kinds.map((kind) => [
		serverKinds[kind].title,
		...columns(middle(kind, 'first'), middle(RAW, 'first')),
		...columns(middle(kind, 'next'), middle(RAW, 'next')),
	]);
	const header = ['', `first ${count}, CPU µs/stream`, 'times raw', `next ${count}, CPU µs/stream`, 'times raw'];
	const title = 'Opening a stream on a process that has just started, and on one that runs';
	return {
		tables: [{ title, markdown: markdownTable(header, rows), rows: rows.map(([name = '']) => name) }],
		problems: [],
	};
}

function columns(own = Number.NaN, raw = Number.NaN): [micros: string, timesRaw: string] {
	return [own.toFixed(0), (own / raw).toFixed(2)];
}

async function opened(kind: ServerKindName, count: number, cores: Cores | undefined): Promise<Opened> {
	await using server = await ServerProcess.start(kind, cores);
	const sessions = await openSessions(server, 2 * count);
	const before = await server.exactCpuMicros();
	using _first = await FanoutClients.open(server, sessions.slice(0, count), cores);
	const between = await server.exactCpuMicros();
	using _next = await FanoutClients.open(server, sessions.slice(count), cores);
	return { first: (between - before) / count, next: ((await server.exactCpuMicros()) - between) / count };
}
