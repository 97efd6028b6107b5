import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type Redis as RedisProcess, startRedis } from '@holdfast/local-cluster';
import { RedisInfoSessionManager, RedisStreamSessionManager } from '@holdfast/session-manager-redis';
import { Redis } from 'ioredis';
import { CallTarget } from './call-target.js';
import { type Cores, pinned } from './cores.js';
import { EventClient, openStreams } from './event-client.js';
import { markdownTable } from './markdown-table.js';
import { callTool, endSession, isKnown, openSessions } from './mcp-client.js';
import type { Measurement } from './measurement.js';
import { median } from './median.js';
import type { Plan } from './plan.js';
import { ServerProcess } from './server-process.js';
import { storeVariables } from './servers/managers.js';
import { SlowLink } from './slow-link.js';

const LATENCY_MS = 25;
/** How long a client waits for a notification before it counts as lost, in milliseconds. */
const NEWS_DEADLINE_MS = 10_000;

/** Measures what sharing sessions through Redis costs, compared with memory and with Redis itself. */
export async function measureNodes(
	plan: Plan,
	cores: Cores | undefined,
	log: (line: string) => void,
): Promise<Measurement> {
	const redis = await startRedis();
	process.env[storeVariables.redis] = redis.url;
	try {
		const bench = new NodesBench(redis, plan, cores, log);
		const rows = [
			...(await bench.calls()),
			...(await bench.news()),
			...(await bench.notification()),
			...(await bench.broadcast()),
			...(await bench.subscribers()),
			...(await bench.memory()),
		];
		const markdown = markdownTable(['', 'on Redis', 'beside', 'ratio'], rows);
		return {
			tables: [{ title: 'Many nodes on Redis', markdown, rows: rows.map(([title = '']) => title) }],
			problems: bench.problems,
		};
	} finally {
		await redis.close();
	}
}

type Row = [title: string, onRedis: string, beside: string, ratio: string];

class NodesBench {
	readonly problems: string[] = [];
	readonly #redis: RedisProcess;
	readonly #plan: Plan;
	readonly #cores: Cores | undefined;
	readonly #log: (line: string) => void;

	constructor(redis: RedisProcess, plan: Plan, cores: Cores | undefined, log: (line: string) => void) {
		this.#redis = redis;
		this.#plan = plan;
		this.#cores = cores;
		this.#log = (line) => log(`nodes: ${line}`);
	}

	/** `tools/call` on sessions that the node knows, in rounds that interleave both stores. */
	async calls(): Promise<Row[]> {
		this.#log('tools/call');
		await using memory = await CallTarget.prepare('holdfast', this.#plan, this.#cores);
		await using shared = await CallTarget.prepare('holdfast-redis', this.#plan, this.#cores);
		const rows: Row[] = [];
		for (const connections of this.#plan.concurrency) {
			const ratios: number[] = [];
			const speeds: [number[], number[]] = [[], []];
			let [calls, commands] = [0, 0];
			for (let round = 0; round < this.#plan.rounds; round++) {
				const before = await this.#commands();
				const ours = await shared.load(connections, this.#plan.measureMs);
				commands += (await this.#commands()) - before;
				const theirs = await memory.load(connections, this.#plan.measureMs);
				for (const problem of [shared.problemOf(ours), memory.problemOf(theirs)]) {
					if (problem) this.problems.push(problem);
				}
				calls += ours.completed;
				ratios.push(ours.perSecond / theirs.perSecond);
				speeds[0].push(ours.perSecond);
				speeds[1].push(theirs.perSecond);
			}
			rows.push([
				`\`tools/call\`, concurrency ${connections}, of the speed in memory`,
				`${number(median(speeds[0]))}/s`,
				`${number(median(speeds[1]))}/s`,
				number(median(ratios), 3),
			]);
			rows.push([
				`Redis commands for each of these calls, concurrency ${connections}`,
				number(commands / calls, 4),
				'0',
				'',
			]);
		}
		return rows;
	}

	/** How long until one node knows what another did. */
	async news(): Promise<Row[]> {
		this.#log('news');
		await using one = await ServerProcess.start('node-redis', this.#cores);
		await using other = await ServerProcess.start('node-redis', this.#cores);
		const took: number[] = [];
		for (const session of await openSessions(one, this.#plan.rounds * 5)) {
			if (!(await isKnown(other, session))) this.problems.push('a node did not know a session of another');
			await endSession(one, session);
			const endedAt = performance.now();
			while (await isKnown(other, session)) if (performance.now() - endedAt > NEWS_DEADLINE_MS) break;
			took.push(performance.now() - endedAt);
		}
		const most = Math.max(...took);
		if (most > NEWS_DEADLINE_MS) this.problems.push('a node went on with an ended session');
		return [
			[
				'another node refuses an ended session, ms after DELETE was answered (most)',
				`${number(median(took), 1)} (${number(most, 1)})`,
				'100',
				'',
			],
		];
	}

	/** From `send` on one node to a stream on another, and to the socket of its client. */
	async notification(): Promise<Row[]> {
		this.#log('one notification');
		await using node = await ServerProcess.start('node-redis', this.#cores);
		const [session = ''] = await openSessions(node, 1);
		const client = await EventClient.open(node.port, session);
		await using streams = new RedisStreamSessionManager(this.#redis.url);
		const publisher = new Redis(this.#redis.url);
		const holder = this.#receiver('stream-holder', 'open');
		await once(holder, 'message');
		const subscriber = this.#receiver('bare-subscriber', 'bench');
		await once(subscriber, 'message');
		const server = this.#receiver('bare-subscriber', 'served');
		const bareClient = await EventClient.open(Number((await once(server, 'message'))[0]), session);

		const toReceiver = async (receiver: ChildProcess, send: () => Promise<unknown>) => {
			const received = once(receiver, 'message');
			const sentAt = process.hrtime.bigint();
			await send();
			return Number(BigInt((await received)[0]) - sentAt) / 1e3;
		};
		const toClient = async (eventClient: EventClient, text: string, send: () => Promise<unknown>) => {
			const heard = eventClient.hears(text);
			const sentAt = performance.now();
			await send();
			return ((await heard) - sentAt) * 1e3;
		};
		const times: [number[], number[], number[], number[]] = [[], [], [], []];
		const count = this.#plan.rounds * 200;
		for (let n = 0; n < count; n++) {
			const [text, event] = [`"n":${n}.`, `data: {"n":${n}.0}\n\n`];
			const took = [
				await toReceiver(holder, () => streams.send(['open'], event) as Promise<void>),
				await toReceiver(subscriber, () => publisher.publish('bench', event)),
				await toClient(client, text, () => streams.send([session], event) as Promise<void>),
				await toClient(bareClient, text, () => publisher.publish('served', event)),
			];
			// The first ones are the warm-up.
			if (n >= count / 4) for (const [index, time] of took.entries()) times[index]?.push(time);
		}
		for (const eventClient of [client, bareClient]) eventClient.close();
		publisher.disconnect();
		for (const receiver of [holder, subscriber, server]) receiver.kill();
		const [delivered = Number.NaN, bare = Number.NaN, heard = Number.NaN, served = Number.NaN] = times.map(median);
		return [
			[
				'a notification from one node to a stream of another, µs, beside bare publish→receive',
				number(delivered),
				number(bare),
				number(delivered / bare, 2),
			],
			[
				'the same to the client of the stream, beside bare publish→receive→`node:http`',
				number(heard),
				number(served),
				number(heard / served, 2),
			],
		];
	}

	/** A broadcast to every session: on three nodes, and on one with sessions in memory. */
	async broadcast(): Promise<Row[]> {
		const count = this.#plan.streams;
		this.#log(`a broadcast to ${count} streams`);
		const spread = await this.#broadcastOver('node-redis', 3, count);
		const alone = await this.#broadcastOver('node-memory', 1, count);
		if (spread.publishes !== 1) this.problems.push(`a broadcast took ${spread.publishes} publishes`);
		return [
			[
				`a broadcast to ${count} streams on three nodes, ms to the last client, beside one node in memory`,
				number(spread.ms, 1),
				number(alone.ms, 1),
				number(spread.ms / alone.ms, 2),
			],
			['publishes for each broadcast', number(spread.publishes, 2), '1', ''],
		];
	}

	/**
	 * A notification to a resource with many subscribers, at two distances from Redis: the difference is the cost of
	 * sequential round trips.
	 */
	async subscribers(): Promise<Row[]> {
		const nodes = await this.#nodes('node-redis', 3);
		try {
			const sessions = await openSessions(nodes[0] as ServerProcess, Math.ceil(this.#plan.streams / 2));
			const ports = nodes.map((node) => node.port);
			const clients = await openStreams(ports, sessions);
			const rows: Row[] = [];
			for (const count of [Math.ceil(sessions.length / 100), sessions.length]) {
				this.#log(`a resource with ${count} subscribers`);
				const some = { sessions: sessions.slice(0, count), clients: clients.slice(0, count) };
				const [near, far] = [await this.#timeOfUpdate(some, 0), await this.#timeOfUpdate(some, LATENCY_MS)];
				rows.push([
					`round trips to Redis for a resource with ${count} subscribers on three nodes (and ms in all)`,
					`${number((far - near) / LATENCY_MS, 1)} (${number(near, 1)})`,
					'2',
					'',
				]);
			}
			for (const client of clients) client.close();
			return rows;
		} finally {
			await Promise.all(nodes.map((node) => node[Symbol.asyncDispose]()));
		}
	}

	/** How long until Redis has stored an update for each of the sessions, when a reply takes `latencyMs` to arrive. */
	async #timeOfUpdate(
		some: { sessions: readonly string[]; clients: readonly EventClient[] },
		latencyMs: number,
	): Promise<number> {
		await using link = await SlowLink.open(Number(new URL(this.#redis.url).port), latencyMs / 2);
		const url = `redis://127.0.0.1:${link.port}`;
		await using info = new RedisInfoSessionManager(url);
		await using streams = new RedisStreamSessionManager(url);
		const uri = `bench://${some.sessions.length}/${latencyMs}`;
		await Promise.all(some.sessions.map((session) => info.addSubscription(session, uri)));
		const times: number[] = [];
		for (let round = 0; round <= this.#plan.rounds; round++) {
			const heard = some.clients.map((client) => client.hears('resources/updated'));
			const begunAt = performance.now();
			await streams.send(await info.getSubscriptions(uri), 'data: {"method":"notifications/resources/updated"}\n\n');
			// The first one opens the connection.
			if (round > 0) times.push(performance.now() - begunAt);
			await Promise.all(heard);
		}
		return median(times) ?? Number.NaN;
	}

	/** The memory of an idle session, and of an idle stream, on its node. */
	async memory(): Promise<Row[]> {
		const count = this.#plan.streams;
		this.#log(`memory of ${count} sessions and streams`);
		const of = async (kind: 'node-redis' | 'node-memory') => {
			await using node = await ServerProcess.start(kind, this.#cores);
			await openSessions(node, 50);
			const empty = await node.memory();
			const sessions = await openSessions(node, count);
			const idle = await node.memory();
			const clients = await openStreams([node.port], sessions);
			const open = await node.memory();
			const heard = Promise.all(clients.map((client) => client.hears('list_changed')));
			await callTool(node, sessions[0] ?? '', 'broadcast');
			await heard;
			for (const client of clients) client.close();
			const each = (from: number, to: number) => (to - from) / count / 1024;
			return [
				each(empty.heap, idle.heap),
				each(empty.rss, idle.rss),
				each(idle.heap, open.heap),
				each(idle.rss, open.rss),
			];
		};
		const [ours, theirs] = [await of('node-redis'), await of('node-memory')];
		const titles = [
			'heap of an idle session',
			'resident memory of an idle session',
			'heap of an idle session stream',
			'resident memory of an idle session stream',
		];
		return titles.map((title, index) => {
			const [mine = Number.NaN, other = Number.NaN] = [ours[index], theirs[index]];
			return [
				`${title}, KB, of ${count} on one node, beside in memory`,
				number(mine, 1),
				number(other, 1),
				number(mine / other, 2),
			];
		});
	}

	async #broadcastOver(
		kind: 'node-redis' | 'node-memory',
		nodeCount: number,
		count: number,
	): Promise<{ ms: number; publishes: number }> {
		const nodes = await this.#nodes(kind, nodeCount);
		try {
			const first = nodes[0] as ServerProcess;
			const sessions = await openSessions(first, count);
			const clients = await openStreams(
				nodes.map((node) => node.port),
				sessions,
			);
			const times: number[] = [];
			const published = await this.#published();
			for (let round = 0; round < this.#plan.rounds; round++) {
				const heard = clients.map((client) => client.hears('list_changed'));
				const begunAt = performance.now();
				await callTool(first, sessions[0] ?? '', 'broadcast');
				times.push(Math.max(...(await Promise.all(heard))) - begunAt);
			}
			const publishes = (await published()) / this.#plan.rounds;
			for (const client of clients) client.close();
			return { ms: median(times) ?? Number.NaN, publishes };
		} finally {
			await Promise.all(nodes.map((node) => node[Symbol.asyncDispose]()));
		}
	}

	/** Starts a process that reports each message to `name`. */
	#receiver(program: 'bare-subscriber' | 'stream-holder', name: string): ChildProcess {
		const file = fileURLToPath(new URL(`./${program}.js`, import.meta.url));
		const where = program === 'stream-holder' ? 'redis' : this.#redis.url;
		const command = pinned(this.#cores?.server, process.execPath, [file, where, name]);
		return spawn(...command, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
	}

	#nodes(kind: 'node-redis' | 'node-memory', count: number): Promise<ServerProcess[]> {
		return Promise.all(Array.from({ length: count }, () => ServerProcess.start(kind, this.#cores)));
	}

	/** The commands that Redis has run, without this one. */
	async #commands(): Promise<number> {
		return this.#ask(async (client) => {
			const [, count = ''] = /total_commands_processed:(\d+)/.exec(await client.info('stats')) ?? [];
			return Number(count) - 1;
		});
	}

	/** Counts what is published, from scripts or not, but for what nodes tell each other. Ends with how much that was. */
	async #published(): Promise<() => Promise<number>> {
		const client = new Redis(this.#redis.url, { enableReadyCheck: false });
		const monitor = await client.monitor();
		let published = 0;
		let isOver = () => {};
		monitor.on('monitor', (_time: string, [command = '', channel = '']: string[]) => {
			if (command === 'echo') isOver();
			else if (/^s?publish$/i.test(command) && !channel.includes('{n:')) published++;
		});
		return async () => {
			const over = new Promise<void>((resolve) => {
				isOver = resolve;
			});
			await client.echo('over');
			await over;
			monitor.disconnect();
			client.disconnect();
			return published;
		};
	}

	async #ask<T>(question: (client: Redis) => Promise<T>): Promise<T> {
		const client = new Redis(this.#redis.url, { enableReadyCheck: false });
		try {
			return await question(client);
		} finally {
			client.disconnect();
		}
	}
}

function number(value: number | undefined, digits = 0): string {
	return value === undefined || !Number.isFinite(value) ? '–' : value.toFixed(digits);
}
