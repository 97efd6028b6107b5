import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres, startRedis } from '@holdfast/local-cluster';
import type { Cores } from './cores.js';
import { type Broadcast, FanoutTarget } from './fanout-target.js';
import { firstQuartile } from './first-quartile.js';
import { markdownTable } from './markdown-table.js';
import type { Measurement } from './measurement.js';
import { median } from './median.js';
import type { Plan } from './plan.js';
import { type ServerKindName, serverKindNames, serverKinds } from './server-kinds.js';
import { storeVariables } from './servers/managers.js';

const LIMIT = 'streams-socket';
/** Every server of this measurement. */
export const fanoutKinds = serverKindNames.filter((kind) => serverKinds[kind].only === 'fanout');

/** Broadcasts to each server before the next server has its turn. */
const BROADCASTS = 3;
/** Broadcasts to each server before anything is timed, at least. */
const WARM_UP = 30;

/**
 * Measures a broadcast to many open session streams, what opening them costs, and the memory of sessions and streams.
 * The servers take turns in many short rounds. CPU time is compared by its first quartile: what else the machine does
 * can only add to it.
 */
export async function measureFanout(
	plan: Plan,
	cores: Cores | undefined,
	log: (line: string) => void,
): Promise<Measurement> {
	const named = fanoutKinds.filter((kind) => kind === LIMIT || plan.kinds.includes(kind));
	const kinds = named.length > 1 ? named : fanoutKinds;
	const redis = await startRedis();
	const postgres = await startPostgres();
	process.env[storeVariables.redis] = redis.url;
	process.env[storeVariables.postgres] = postgres.url;
	const folder = mkdtempSync(join(tmpdir(), 'holdfast-fanout-'));
	process.env[storeVariables.sqlite] = join(folder, 'sessions.db');
	const targets = new Map<ServerKindName, FanoutTarget>();
	const runs = new Map<ServerKindName, Broadcast[]>();
	try {
		for (const kind of kinds) {
			log(`fanout: ${kind}, ${plan.fanoutStreams} streams`);
			targets.set(kind, await FanoutTarget.prepare(kind, plan.fanoutStreams, cores));
		}
		const rounds = plan.rounds * 4;
		const warmUp = Math.min(WARM_UP, rounds);
		for (let round = 0; round < rounds; round++) {
			for (const [kind, target] of targets) {
				const before = round === 0 ? warmUp : 0;
				for (let n = 0; n < before; n++) await target.broadcast();
				for (let n = 0; n < BROADCASTS; n++) {
					const done = runs.get(kind) ?? [];
					runs.set(kind, [...done, await target.broadcast()]);
				}
			}
			log(`fanout: round ${round + 1} of ${rounds}`);
		}
		const rows = kinds.map((kind) => rowOf(kind, targets, runs));
		const header = [
			'',
			'CPU µs/notification (least)',
			'of raw sockets, by CPU',
			'first ms',
			'last ms',
			'of raw sockets, to the last',
			'opening, CPU µs',
			'KB/session, heap',
			'resident',
			'KB/stream, heap',
			'resident',
		];
		const title = `A broadcast to ${plan.fanoutStreams} open session streams`;
		return {
			tables: [{ title, markdown: markdownTable(header, rows), rows: rows.map(([name = '']) => name) }],
			problems: [],
		};
	} finally {
		for (const target of targets.values()) await target[Symbol.asyncDispose]();
		await redis.close();
		await postgres.close();
		rmSync(folder, { recursive: true });
	}
}

function rowOf(
	kind: ServerKindName,
	targets: ReadonlyMap<ServerKindName, FanoutTarget>,
	runs: ReadonlyMap<ServerKindName, readonly Broadcast[]>,
): string[] {
	const [own, limit] = [runs.get(kind) ?? [], runs.get(LIMIT) ?? []];
	const cpu = (of: readonly Broadcast[]) => of.map(({ cpuMicros }) => cpuMicros);
	const last = (of: readonly Broadcast[]) => of.map(({ lastMs }) => lastMs);
	const opened = targets.get(kind)?.opened;
	return [
		serverKinds[kind].title,
		`${decimals(firstQuartile(cpu(own)), 2)} (${decimals(Math.min(...cpu(own)), 2)})`,
		decimals(firstQuartile(cpu(limit)) / firstQuartile(cpu(own)), 3),
		decimals(median(own.map(({ firstMs }) => firstMs)), 1),
		decimals(median(last(own)), 1),
		decimals(firstQuartile(last(limit)) / firstQuartile(last(own)), 3),
		decimals(opened?.streamCpuMicros, 0),
		kilobytes(opened?.sessionHeap),
		kilobytes(opened?.sessionRss),
		kilobytes(opened?.streamHeap),
		kilobytes(opened?.streamRss),
	];
}

function kilobytes(bytes: number | undefined): string {
	return decimals(bytes === undefined ? undefined : bytes / 1024, 1);
}

function decimals(value: number | undefined, digits: number): string {
	return value === undefined || !Number.isFinite(value) ? '–' : value.toFixed(digits);
}
