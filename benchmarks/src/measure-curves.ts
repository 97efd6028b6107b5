import { startRedis } from '@holdfast/local-cluster';
import { RedisInfoSessionManager } from '@holdfast/session-manager-redis';
import { Redis } from 'ioredis';
import { CallTarget } from './call-target.js';
import type { Cores } from './cores.js';
import { openStreams } from './event-client.js';
import { type Broadcast, FanoutTarget } from './fanout-target.js';
import { firstQuartile } from './first-quartile.js';
import { type GrowthRow, growthTable } from './growth-table.js';
import { historyCosts } from './history-costs.js';
import { inParallel } from './in-parallel.js';
import { assertEchoes, openSessions } from './mcp-client.js';
import { loadSessions } from './measure-sessions.js';
import type { MeasuredTable, Measurement } from './measurement.js';
import { median } from './median.js';
import type { Plan } from './plan.js';
import { type ServerKindName, serverKinds } from './server-kinds.js';
import { ServerProcess } from './server-process.js';
import { storeVariables } from './servers/managers.js';
import { noRoomFor } from './stream-room.js';

/** How many calls are in flight. */
const CONNECTIONS = 16;
/** Timed runs of calls at each size. */
const LOADS = 3;
/** Broadcasts before the timed ones at the largest size; a smaller one has as many notifications. */
const WARM_UP_BROADCASTS = 10;
const BROADCASTS = 16;
/** How often all calls are made before they are timed: V8 still compiles for thousands of them. */
const WARM_UP_CALLS = 4;

/** Measures how the cost of each thing grows with the number of sessions, streams, events of a history, and nodes. */
export async function measureCurves(
	plan: Plan,
	cores: Cores | undefined,
	log: (line: string) => void,
): Promise<Measurement> {
	const redis = await startRedis();
	process.env[storeVariables.redis] = redis.url;
	const client = new Redis(redis.url);
	try {
		const curves = new Curves(redis.url, client, plan, cores, (line) => log(`curves: ${line}`));
		const tables: MeasuredTable[] = [];
		for (const curve of ['sessions', 'streams', 'history', 'nodes'] as const) {
			try {
				tables.push(await curves[curve]());
			} catch (error) {
				curves.problems.push(`How cost grows with ${curve}: ${error}`);
			}
		}
		return { tables, problems: curves.problems };
	} finally {
		client.disconnect();
		await redis.close();
	}
}

class Curves {
	readonly problems: string[] = [];
	readonly #url: string;
	readonly #redis: Redis;
	readonly #plan: Plan;
	readonly #cores: Cores | undefined;
	readonly #log: (line: string) => void;

	constructor(url: string, redis: Redis, plan: Plan, cores: Cores | undefined, log: (line: string) => void) {
		this.#url = url;
		this.#redis = redis;
		this.#plan = plan;
		this.#cores = cores;
		this.#log = log;
	}

	async sessions(): Promise<MeasuredTable> {
		const sizes = this.#plan.growth.sessions;
		const rows = [...(await this.#sessionsInMemory(sizes)), ...(await this.#sessionsInRedis(sizes))];
		const bend =
			'What can bend it: V8 marks all that a node keeps of its sessions in each full garbage collection, and records and ' +
			'indexes of many sessions miss the caches of the processor.';
		return growthTable('How cost grows with sessions', 'sessions', sizes, rows, bend);
	}

	/** Sessions that are opened over HTTP, and stay. */
	async #sessionsInMemory(sizes: readonly number[]): Promise<GrowthRow[]> {
		await using target = await CallTarget.prepare('holdfast', this.#plan, this.#cores);
		const { server } = target;
		const [calls, opening, heap, rss]: [number[], number[], number[], number[]] = [[], [], [], []];
		await loadSessions(server, 'end', this.#plan.openingClients, this.#plan.warmUpMs / 2, this.#cores);
		const empty = await server.memory();
		let opened = 0;
		for (const size of sizes) {
			this.#log(`${size} sessions in memory`);
			const before = await server.exactCpuMicros();
			await openSessions(server, size - opened);
			opening.push(((await server.exactCpuMicros()) - before) / (size - opened));
			opened = size;
			const memory = await server.memory();
			heap.push((memory.heap - empty.heap) / size / 1_024);
			rss.push((memory.rss - empty.rss) / size / 1_024);
			calls.push(await this.#cpuOfCall(target));
		}
		return [
			{ title: 'CPU µs of `tools/call`, in memory', costs: calls },
			{ title: 'CPU µs of opening one more, in memory', costs: opening },
			{ title: 'KB of heap of an idle session, in memory', costs: heap },
			{ title: 'KB of resident memory of an idle session, in memory', costs: rss, unjudged: true },
		];
	}

	/** Sessions of which a node knows nothing until they are used: their records are written straight to Redis. */
	async #sessionsInRedis(sizes: readonly number[]): Promise<GrowthRow[]> {
		await using target = await CallTarget.prepare('holdfast-redis', this.#plan, this.#cores);
		await using info = new RedisInfoSessionManager(this.#url, { maxSessions: 0 });
		const [record] = (await info.scan(undefined, 1)).records;
		if (record === undefined) throw new Error('There is no session in Redis.');
		const [calls, touches, bytes, rss]: [number[], number[], number[], number[]] = [[], [], [], []];
		const [emptyBytes, emptyRss] = [await this.#redisBytes(), (await target.server.memory()).rss];
		let created = 0;
		for (const size of sizes) {
			this.#log(`${size} sessions in Redis`);
			await inParallel(
				size - created,
				64,
				async (n) => void (await info.create({ ...record, id: `idle-${created + n}` })),
			);
			created = size;
			bytes.push(((await this.#redisBytes()) - emptyBytes) / size / 1_024);
			rss.push(((await target.server.memory()).rss - emptyRss) / size / 1_024);
			const begunAt = performance.now();
			const count = this.#plan.samples * 5;
			await inParallel(count, CONNECTIONS, async (n) => {
				// Spread over all of them.
				const id = `idle-${Math.floor((n / count) * size)}`;
				if (!(await info.touch(id, Date.now()))) this.problems.push('A session that was created is unknown.');
			});
			touches.push(((performance.now() - begunAt) * 1e3) / count);
			calls.push(await this.#cpuOfCall(target));
		}
		return [
			{ title: 'CPU µs of `tools/call`, on Redis', costs: calls },
			{ title: `µs of a touch, on Redis, ${CONNECTIONS} at once`, costs: touches },
			{ title: 'KB in Redis of an idle session', costs: bytes, digits: 2 },
			{
				title: 'KB of resident memory of a node of each, before it is used there',
				costs: rss,
				digits: 2,
				unjudged: true,
			},
		];
	}

	async streams(): Promise<MeasuredTable> {
		const sizes = this.#plan.growth.streams;
		const kinds = ['streams-socket', 'streams-memory', 'streams-redis'] as const;
		const most = Math.max(...sizes.filter((size) => noRoomFor(size) === undefined));
		const rows: GrowthRow[] = [];
		for (const kind of kinds) {
			const measured: (Awaited<ReturnType<Curves['broadcastTo']>> | string)[] = [];
			for (const size of sizes) {
				const warmUp = Math.ceil((most / size) * WARM_UP_BROADCASTS);
				measured.push(noRoomFor(size) ?? (await this.broadcastTo(kind, size, warmUp)));
			}
			const of = (pick: (one: Exclude<(typeof measured)[number], string>) => number) =>
				measured.map((one) => (typeof one === 'string' ? one : pick(one)));
			const { title } = serverKinds[kind];
			rows.push(
				{ title: `CPU µs of a notification, ${title}`, costs: of(({ cpuMicros }) => cpuMicros), digits: 2 },
				{ title: `CPU µs of opening a stream, ${title}`, costs: of(({ streamCpuMicros }) => streamCpuMicros) },
				{
					title: `KB of resident memory of a stream, ${title}`,
					costs: of(({ streamRss }) => streamRss / 1_024),
					unjudged: true,
				},
			);
		}
		const bend =
			'What can bend it: what belongs to more sockets fits into no cache of the processor, so the rows of raw sockets are ' +
			'the limit. A size that the machine cannot hold says why.';
		return growthTable('How cost grows with streams', 'streams', sizes, rows, bend);
	}

	/** A broadcast to many streams of one server. */
	async broadcastTo(kind: ServerKindName, streams: number, warmUp: number) {
		this.#log(`${streams} streams, ${kind}`);
		await using target = await FanoutTarget.prepare(kind, streams, this.#cores);
		for (let n = 0; n < warmUp; n++) await target.broadcast();
		const runs: Broadcast[] = [];
		while (runs.length < BROADCASTS) runs.push(await target.broadcast());
		return { ...target.opened, cpuMicros: firstQuartile(runs.map(({ cpuMicros }) => cpuMicros)) };
	}

	async history(): Promise<MeasuredTable> {
		const sizes = this.#plan.growth.history;
		const rows: GrowthRow[] = [];
		for (const store of ['memory', 'redis'] as const) {
			this.#log(`history, ${store}`);
			const costs = await historyCosts(store, sizes, this.#plan.rounds);
			const where = store === 'redis' ? 'on Redis' : 'in memory';
			rows.push(
				{ title: `µs of appending an event, ${where}`, costs: costs.map(({ append }) => append) },
				{
					title: `µs of resuming in all, ${where}`,
					costs: costs.map(({ resume }) => resume),
					digits: 0,
					unjudged: true,
				},
				{
					title: `µs of resuming for each event sent again, ${where}`,
					costs: costs.map(({ resume }, n) => (sizes[n] ? resume / sizes[n] : undefined)),
				},
			);
		}
		const bend =
			'What bends it: resuming sends every missed event again, so in all it grows with them; what counts is that each of ' +
			'them does not cost more. A full history (1,000 events) also forgets the oldest event with each new one.';
		return growthTable('How cost grows with history', 'events', sizes, rows, bend);
	}

	async nodes(): Promise<MeasuredTable> {
		const sizes = this.#plan.growth.nodes;
		const measured: Awaited<ReturnType<Curves['onNodes']>>[] = [];
		for (const size of sizes) measured.push(await this.onNodes(size));
		const rows: GrowthRow[] = [
			{
				title: 'CPU µs of all nodes for a notification',
				costs: measured.map(({ notification }) => notification),
				digits: 2,
			},
			{ title: 'CPU µs of Redis for a broadcast', costs: measured.map(({ redisBroadcast }) => redisBroadcast) },
			{ title: 'CPU µs of all nodes for a `tools/call`, at each in turn', costs: measured.map(({ call }) => call) },
			{ title: 'CPU µs of Redis for such a call', costs: measured.map(({ redisCall }) => redisCall) },
		];
		const bend =
			`What bends it: each node reads a broadcast once, however many of the ${this.#plan.growth.nodeStreams} streams it ` +
			'holds, and Redis sends it to each node. A node has its timers and hears of the others, however few calls it gets.';
		return growthTable('How cost grows with nodes on Redis', 'nodes', sizes, rows, bend);
	}

	/** The same streams and calls, spread over some nodes. */
	async onNodes(count: number) {
		const { nodeStreams } = this.#plan.growth;
		this.#log(`${nodeStreams} streams on ${count} nodes`);
		const starting = Array.from({ length: count }, () => ServerProcess.start('streams-redis', this.#cores));
		const nodes = await Promise.all(starting);
		try {
			const [first] = nodes;
			if (first === undefined) throw new TypeError('There must be a node.');
			const sessions = await openSessions(first, nodeStreams);
			const ports = nodes.map(({ port }) => port);
			const clients = await openStreams(ports, sessions);
			const costs = async (work: () => Promise<unknown>) => {
				const cpu = async () => Promise.all([cpuOf(nodes), this.#redisMicros()]);
				const [ours, theirs] = await cpu();
				await work();
				const [oursAfter, theirsAfter] = await cpu();
				return { nodes: oursAfter - ours, redis: theirsAfter - theirs };
			};
			const broadcast = () => {
				const heard = Promise.all(clients.map((client) => client.hears('list_changed')));
				return Promise.all([heard, first.broadcast()]);
			};
			for (let n = 0; n < WARM_UP_BROADCASTS * count; n++) await broadcast();
			const broadcasts: Awaited<ReturnType<typeof costs>>[] = [];
			while (broadcasts.length < BROADCASTS) broadcasts.push(await costs(broadcast));
			for (const client of clients) client.close();
			// As many at each node, so that each is as warm, however many there are.
			const called = sessions.slice(0, this.#plan.callSessions);
			const each = this.#plan.samples;
			const call = () =>
				inParallel(each * count, CONNECTIONS, (n) =>
					assertEchoes(nodes[n % count] ?? first, [called[Math.floor(n / count) % called.length]]),
				);
			for (let n = 0; n < WARM_UP_CALLS; n++) await call();
			const calls = await costs(call);
			return {
				notification: firstQuartile(broadcasts.map((cost) => cost.nodes)) / nodeStreams,
				redisBroadcast: firstQuartile(broadcasts.map((cost) => cost.redis)),
				call: calls.nodes / each / count,
				redisCall: calls.redis / each / count,
			};
		} finally {
			await Promise.all(nodes.map((node) => node[Symbol.asyncDispose]()));
		}
	}

	async #cpuOfCall(target: CallTarget): Promise<number> {
		// Not timed: sessions that had to give way get their servers again.
		await target.load(CONNECTIONS, this.#plan.measureMs / 2);
		const micros: number[] = [];
		for (let n = 0; n < LOADS; n++) {
			const result = await target.load(CONNECTIONS, this.#plan.measureMs);
			const problem = target.problemOf(result);
			if (problem) this.problems.push(problem);
			micros.push(result.cpuMicros ?? Number.NaN);
		}
		return median(micros) ?? Number.NaN;
	}

	async #redisBytes(): Promise<number> {
		return Number(/^used_memory:(\d+)/m.exec(await this.#redis.info('memory'))?.[1]);
	}

	/** The CPU time of Redis so far. */
	async #redisMicros(): Promise<number> {
		const text = await this.#redis.info('cpu');
		const seconds = [...text.matchAll(/^used_cpu_(?:sys|user):([\d.]+)/gm)].map(([, used]) => Number(used));
		return seconds.reduce((sum, used) => sum + used, 0) * 1e6;
	}
}

async function cpuOf(nodes: readonly ServerProcess[]): Promise<number> {
	const each = await Promise.all(nodes.map((node) => node.exactCpuMicros()));
	return each.reduce((sum, micros) => sum + micros, 0);
}
