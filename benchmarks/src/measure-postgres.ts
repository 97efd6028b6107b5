import { startPostgres, startRedis } from '@holdfast/local-cluster';
import type { StreamSessionManager } from '@holdfast/session-manager/custom';
import { PostgresStreamSessionManager } from '@holdfast/session-manager-postgres';
import { RedisStreamSessionManager } from '@holdfast/session-manager-redis';
import type { Cores } from './cores.js';
import { markdownTable } from './markdown-table.js';
import type { Measurement } from './measurement.js';
import { median } from './median.js';
import type { Plan } from './plan.js';

/** How many sends of one node wait for their acknowledgement at once. */
const WRITERS = 200;
const event = `data: ${'x'.repeat(192)}\n\n`;

/** A store, and how a node on it makes its stream manager. */
interface Store {
	readonly title: string;
	readonly make: () => StreamSessionManager;
}

/** Measures PostgreSQL beside Redis: one notification, and events that are stored and delivered. */
export async function measurePostgres(
	plan: Plan,
	_cores: Cores | undefined,
	log: (line: string) => void,
): Promise<Measurement> {
	const postgres = await startPostgres({ fsync: 'on' });
	const redis = await startRedis();
	const stores: Store[] = [
		{ title: 'Redis', make: () => new RedisStreamSessionManager(redis.url) },
		{
			title: "PostgreSQL, `durability: 'strict'`",
			make: () => new PostgresStreamSessionManager(postgres.url, { durability: 'strict' }),
		},
		{ title: "PostgreSQL, `durability: 'fast'`", make: () => new PostgresStreamSessionManager(postgres.url) },
	];
	try {
		await schemaIsMade(postgres.url);
		const rows: string[][] = [];
		for (const store of stores) {
			log(`postgres: events on ${store.title}`);
			rows.push(
				[`one notification from node to node, µs (median), ${store.title}`, await notification(store, plan)],
				[`events stored and delivered in a second, one node writes, ${store.title}`, await events(store, plan, 1)],
				[`events stored and delivered in a second, three nodes write, ${store.title}`, await events(store, plan, 3)],
			);
		}
		const markdown = markdownTable(['', 'measured'], rows);
		return { tables: [{ title: 'PostgreSQL', markdown, rows: rows.map(([title = '']) => title) }], problems: [] };
	} finally {
		await redis.close();
		await postgres.close();
	}
}

/** The first node makes the schema; until then it serves nobody. */
async function schemaIsMade(url: string): Promise<void> {
	await using streams = new PostgresStreamSessionManager(url);
	for (;;) {
		try {
			await streams.has('nobody');
			return;
		} catch {
			// It is being made.
		}
	}
}

/** From `send` on one node until it is written to a stream on another. */
async function notification({ make }: Store, plan: Plan): Promise<string> {
	await using here = make();
	await using there = make();
	let written = () => {};
	await there.create('one', { enqueue: () => written(), close() {}, desiredSize: 1 });
	const took: number[] = [];
	for (let n = 0; n < plan.rounds * 50; n++) {
		const delivered = new Promise<void>((resolve) => {
			written = resolve;
		});
		const sentAt = performance.now();
		await here.send(['one'], event);
		await delivered;
		took.push(performance.now() - sentAt);
	}
	return ((median(took) ?? 0) * 1_000).toFixed(0);
}

/** Events that several nodes send to the streams of another, each acknowledged and written there. */
async function events({ make }: Store, plan: Plan, nodes: number): Promise<string> {
	await using holder = make();
	const writers = Array.from({ length: nodes }, make);
	const sessions = Array.from({ length: Math.min(plan.streams, 1_000) }, (_, n) => `session-${n}`);
	let [written, sent] = [0, 0];
	for (const id of sessions) {
		await holder.create(id, { enqueue: () => void written++, close() {}, desiredSize: 1 });
	}
	const begunAt = performance.now();
	const endsAt = begunAt + plan.measureMs;
	const work = async (streams: StreamSessionManager, from: number) => {
		for (let at = from; performance.now() < endsAt; at += WRITERS) {
			await streams.send([sessions[at % sessions.length] ?? ''], event);
			sent++;
		}
	};
	await Promise.all(writers.flatMap((streams) => Array.from({ length: WRITERS }, (_, n) => work(streams, n))));
	while (written < sent) await new Promise((resolve) => setTimeout(resolve, 1));
	const seconds = (performance.now() - begunAt) / 1_000;
	for (const streams of writers) await streams.close();
	return Math.round(sent / seconds).toLocaleString('en');
}
