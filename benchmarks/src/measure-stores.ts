import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type BenchStore, BenchStores } from './bench-stores.js';
import { CallTarget } from './call-target.js';
import type { Cores } from './cores.js';
import { markdownTable } from './markdown-table.js';
import { openSessions } from './mcp-client.js';
import type { Measurement } from './measurement.js';
import { median } from './median.js';
import type { Plan } from './plan.js';
import type { ServerKindName } from './server-kinds.js';
import { ServerProcess } from './server-process.js';
import { streamsOn } from './servers/managers.js';
import { type StateSpeed, stateSpeeds } from './state-speed.js';
import type { StreamNodeOptions, StreamNodeRequest, StreamNodeStatus } from './stream-node.js';

/** How many requests are in flight. */
const CONNECTIONS = 16;
/** Changes of state are measured in as many shorter runs. */
const STATE_SHARE = 7.5;
/** Notifications are sent for a shorter time before they are timed. */
const WARM_UP_SHARE = 4;
/** The streams that events are written to. */
const STREAMS = 1_000;
const event = `data: ${'x'.repeat(192)}\n\n`;
const servers: Readonly<Record<BenchStore['name'], readonly [calls: ServerKindName, sessions: ServerKindName]>> = {
	memory: ['holdfast', 'node-memory'],
	redis: ['holdfast-redis', 'node-redis'],
	postgres: ['holdfast-postgres', 'node-postgres'],
	sqlite: ['holdfast-sqlite', 'node-sqlite'],
};

/** Measures the stores beside each other: calls, sessions, one notification, and events stored and delivered. */
export async function measureStores(
	plan: Plan,
	cores: Cores | undefined,
	log: (line: string) => void,
): Promise<Measurement> {
	await using stores = await BenchStores.start();
	const bench = new StoresBench(stores.all, plan, cores, (line) => log(`stores: ${line}`));
	const rows = [
		...(await bench.calls()),
		...(await bench.sessions()),
		...(await bench.state()),
		await bench.notification(),
		...(await bench.events(1)),
		...(await bench.events(3)),
	];
	const markdown = markdownTable(['', ...stores.all.map(({ title }) => title)], rows);
	return {
		tables: [{ title: 'Stores beside each other', markdown, rows: rows.map(([title = '']) => title) }],
		problems: bench.problems,
	};
}

class StoresBench {
	readonly problems: string[] = [];
	readonly #stores: readonly BenchStore[];
	readonly #plan: Plan;
	readonly #cores: Cores | undefined;
	readonly #log: (line: string) => void;

	constructor(stores: readonly BenchStore[], plan: Plan, cores: Cores | undefined, log: (line: string) => void) {
		this.#stores = stores;
		this.#plan = plan;
		this.#cores = cores;
		this.#log = log;
	}

	/** `tools/call` on sessions that the node knows, in rounds that interleave the stores. */
	async calls(): Promise<string[][]> {
		const targets = new Map<BenchStore, CallTarget>();
		const ratios = new Map<BenchStore, number[]>();
		const asked = new Map<BenchStore, { calls: number; questions: number }>();
		try {
			for (const store of this.#stores) {
				if (store.durability !== undefined) continue;
				this.#log(`tools/call on ${store.title}`);
				targets.set(store, await CallTarget.prepare(servers[store.name][0], this.#plan, this.#cores));
			}
			for (let round = 0; round < this.#plan.rounds; round++) {
				let inMemory = Number.NaN;
				for (const [store, target] of targets) {
					const before = (await store.questions?.()) ?? 0;
					const result = await target.load(CONNECTIONS, this.#plan.measureMs);
					const questions = ((await store.questions?.()) ?? 0) - before;
					const problem = target.problemOf(result);
					if (problem) this.problems.push(problem);
					if (store.name === 'memory') inMemory = result.perSecond;
					ratios.set(store, [...(ratios.get(store) ?? []), result.perSecond / inMemory]);
					const sum = asked.get(store) ?? { calls: 0, questions: 0 };
					asked.set(store, { calls: sum.calls + result.completed, questions: sum.questions + questions });
				}
			}
		} finally {
			for (const target of targets.values()) await target[Symbol.asyncDispose]();
		}
		const perCall = (store: BenchStore) => {
			const { calls = 0, questions = 0 } = asked.get(store) ?? {};
			return store.questions && decimals(questions / calls, 4);
		};
		return [
			this.#row(`\`tools/call\`, concurrency ${CONNECTIONS}, of the speed in memory`, (store) =>
				decimals(median(ratios.get(store) ?? []), 3),
			),
			this.#row('commands or transactions for each of these calls', perCall),
		];
	}

	/** Opens sessions, which stay. */
	async sessions(): Promise<string[][]> {
		const count = this.#plan.streams;
		const opened = new Map<BenchStore, { perSecond: number; rss: number; bytes: number | undefined }>();
		for (const store of this.#stores) {
			if (store.durability !== undefined) continue;
			this.#log(`${count} sessions on ${store.title}`);
			await using node = await ServerProcess.start(servers[store.name][1], this.#cores);
			await openSessions(node, 50);
			const [memory, bytes] = [await node.memory(), await store.bytes?.()];
			const begunAt = performance.now();
			await openSessions(node, count);
			const seconds = (performance.now() - begunAt) / 1_000;
			const after = await store.bytes?.();
			opened.set(store, {
				perSecond: count / seconds,
				rss: ((await node.memory()).rss - memory.rss) / count / 1_024,
				bytes: bytes === undefined || after === undefined ? undefined : (after - bytes) / count / 1_024,
			});
		}
		return [
			this.#row(`sessions opened in a second, of ${count}`, (store) => decimals(opened.get(store)?.perSecond)),
			this.#row('resident memory of each of them, KB', (store) => decimals(opened.get(store)?.rss, 1)),
			this.#row('of each in the store, KB', (store) => decimals(opened.get(store)?.bytes, 1)),
		];
	}

	/** Changes of session state, and what they are of one command of the store's bare client. */
	async state(): Promise<string[][]> {
		const measured = new Map<BenchStore, StateSpeed[]>();
		for (const store of this.#stores) {
			this.#log(`state on ${store.title}`);
			measured.set(store, await stateSpeeds(store, this.#plan.measureMs / STATE_SHARE, this.#plan.rounds));
		}
		const [some = []] = measured.values();
		return some.flatMap(({ change, concurrency }, index) => [
			this.#row(`\`state.${change}\` in a second, ${concurrency} at once`, (store) =>
				decimals(measured.get(store)?.[index]?.perSecond),
			),
			this.#row(`of one command of the bare client, ${change}, ${concurrency} at once`, (store) =>
				decimals(measured.get(store)?.[index]?.ofBare, 2),
			),
		]);
	}

	/** From `send` in one process until it is written to a stream in another. */
	async notification(): Promise<string[]> {
		const medians = new Map<BenchStore, number | undefined>();
		for (const store of this.#stores) {
			if (store.name === 'memory') continue;
			this.#log(`one notification on ${store.title}`);
			const holder = start('stream-holder', [store.name, 'one']);
			await once(holder, 'message');
			await using streams = await streamsOn(store.name, store.durability);
			const took: number[] = [];
			const count = this.#plan.rounds * 100;
			const warmUpUntil = performance.now() + this.#plan.warmUpMs / WARM_UP_SHARE;
			while (took.length < count) {
				const written = once(holder, 'message');
				const sentAt = process.hrtime.bigint();
				await streams.send(['one'], event);
				const micros = Number(BigInt((await written)[0]) - sentAt) / 1e3;
				if (performance.now() > warmUpUntil) took.push(micros);
			}
			holder.kill();
			medians.set(store, median(took));
		}
		return this.#row('a notification from process to process, µs', (store) => decimals(medians.get(store)));
	}

	/**
	 * Events that are acknowledged by the store and written to a stream. Each node writes to all streams, and holds its
	 * part of them.
	 */
	async events(nodeCount: number): Promise<string[][]> {
		const measured = new Map<BenchStore, { perSecond: number; longestTurnMs: number }>();
		for (const store of this.#stores) {
			// In memory nothing is waited for, and nothing is stored.
			if (store.name === 'memory') continue;
			this.#log(`events of ${nodeCount} on ${store.title}`);
			measured.set(store, await this.#eventsOn(store, nodeCount));
		}
		const of = nodeCount === 1 ? 'one process' : `${nodeCount} processes`;
		return [
			this.#row(`events stored and delivered in a second by ${of}`, (store) =>
				decimals(measured.get(store)?.perSecond),
			),
			this.#row(`the longest turn of an event loop meanwhile, without waiting for a core, ms, ${of}`, (store) =>
				decimals(measured.get(store)?.longestTurnMs, 1),
			),
		];
	}

	async #eventsOn(
		{ name, durability }: BenchStore,
		nodeCount: number,
	): Promise<{ perSecond: number; longestTurnMs: number }> {
		const writesTo = Array.from({ length: Math.min(this.#plan.streams, STREAMS) }, (_, n) => `${nodeCount}-${n}`);
		const nodes = Array.from({ length: nodeCount }, (_, index) => {
			const holds = writesTo.filter((_, n) => n % nodeCount === index);
			const options: StreamNodeOptions = { ...(durability && { durability }), holds, writesTo };
			return start('stream-node', [name, JSON.stringify(options)]);
		});
		try {
			await Promise.all(nodes.map((node) => once(node, 'message')));
			const ofAll = (request: StreamNodeRequest) => Promise.all(nodes.map((node) => ask(node, request)));
			/** Lets them write; resolves, once everything has arrived, with how much they sent in how long. */
			const writeFor = async (ms: number) => {
				const before = sumOf(await ofAll('status'), ({ sent }) => sent);
				const begunAt = performance.now();
				const wrote = await ofAll({ writeForMs: ms });
				const sent = sumOf(wrote, (status) => status.sent);
				let written = 0;
				while (written < sent) written = sumOf(await ofAll('status'), (status) => status.written);
				const seconds = (performance.now() - begunAt) / 1_000;
				if (written > sent) this.problems.push(`${name}: ${written} of ${sent} events were written`);
				const longestTurnMs = Math.max(...wrote.map((status) => status.longestTurnMs));
				return { perSecond: (sent - before) / seconds, longestTurnMs };
			};
			await writeFor(this.#plan.warmUpMs);
			return await writeFor(this.#plan.measureMs * 2);
		} finally {
			for (const node of nodes) node.kill();
		}
	}

	#row(title: string, cell: (store: BenchStore) => string | undefined): string[] {
		return [title, ...this.#stores.map((store) => cell(store) ?? '–')];
	}
}

/** Stores are measured on all cores: they take turns with their clients. */
function start(program: 'stream-holder' | 'stream-node', args: readonly string[]): ChildProcess {
	const file = fileURLToPath(new URL(`./${program}.js`, import.meta.url));
	return spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
}

async function ask(node: ChildProcess, request: StreamNodeRequest): Promise<StreamNodeStatus> {
	const answered = once(node, 'message');
	node.send(request);
	const [answer] = (await answered) as [StreamNodeStatus | { readonly error: string }];
	if ('error' in answer) throw new Error(`A node failed: ${answer.error}`);
	return answer;
}

function sumOf<T>(all: readonly T[], pick: (each: T) => number): number {
	return all.reduce((sum, each) => sum + pick(each), 0);
}

function decimals(value: number | undefined, digits = 0): string {
	return value === undefined || !Number.isFinite(value) ? '–' : value.toFixed(digits);
}
