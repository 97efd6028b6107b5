import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type BenchStore, BenchStores } from './bench-stores.js';
import type { Cores } from './cores.js';
import { inParallel } from './in-parallel.js';
import { markdownTable } from './markdown-table.js';
import type { Measurement } from './measurement.js';
import { median } from './median.js';
import type { Plan } from './plan.js';
import { managersOn, storeVariables } from './servers/managers.js';
import { SlowLink } from './slow-link.js';
import { subscriberId, uriFor } from './subscriber-names.js';
import type { SubscriberNodeOptions, SubscriberNodeRequest, SubscriberNodeStatus } from './subscriber-node.js';

const NODES = 3;
/** The distance to the store, there and back. */
const LATENCY_MS = 25;
/** Messages at each distance; the longest turn and the peak of memory are those of all of them. */
const MESSAGES = 3;
const CREATING = 200;
/** How long PostgreSQL takes to publish its counters. */
const PUBLISHED_MS = 1_500;
/** How long the last subscriber may wait for a message. */
const DEADLINE_MS = 30_000;
/** How long a node may take for what it is asked for, such as opening its streams. */
const REPLY_MS = 120_000;

/** One store and number of subscribers, with messages at both distances, and what each of the near ones asked for. */
interface Column {
	readonly title: string;
	readonly near: readonly Cost[];
	readonly far: readonly Cost[];
	readonly questions: number;
}

/** What one message cost. */
interface Cost {
	readonly doneMs: number;
	readonly lastMs: number;
	readonly senderTurnMs: number;
	readonly otherTurnMs: number;
	readonly senderBytes: number;
	readonly otherBytes: number;
}

/**
 * Measures one message to many subscribers of a resource, whose streams are spread over three nodes: what it takes, and
 * what it keeps from being done meanwhile. Nodes and store share all cores.
 */
export async function measureSubscribers(
	plan: Plan,
	_cores: Cores | undefined,
	log: (line: string) => void,
): Promise<Measurement> {
	await using stores = await BenchStores.start();
	const problems: string[] = [];
	const columns: Column[] = [];
	for (const store of stores.all) {
		if (store.name !== 'redis' && (store.name !== 'postgres' || store.durability !== undefined)) continue;
		log(`subscribers: ${Math.max(...plan.subscribers)} on ${store.title}`);
		await using nodes = await SubscriberNodes.start(store, plan.subscribers);
		for (const count of plan.subscribers) {
			log(`subscribers: a message to ${count} on ${store.title}`);
			// The first one is the warm-up.
			await nodes.message(count, 0);
			const messages = Math.min(MESSAGES, plan.rounds);
			const [near, far]: [Cost[], Cost[]] = [[], []];
			let questions = 0;
			while (near.length < messages) {
				const before = await questionsOf(store);
				near.push(await nodes.message(count, 0));
				questions += (await questionsOf(store)) - before;
				far.push(await nodes.message(count, LATENCY_MS));
			}
			columns.push({
				title: `${store.title}, ${count.toLocaleString('en')}`,
				near,
				far,
				questions: questions / messages,
			});
		}
		problems.push(...nodes.problems);
	}
	const row = (title: string, cell: (column: Column) => number | undefined, digits = 0) => [
		title,
		...columns.map((column) => decimals(cell(column), digits)),
	];
	const middle = (costs: readonly Cost[], pick: (cost: Cost) => number) => median(costs.map(pick)) ?? Number.NaN;
	const most = (costs: readonly Cost[], pick: (cost: Cost) => number) => Math.max(...costs.map(pick));
	const rows = [
		row('ms until the store has all of it', ({ near }) => middle(near, ({ doneMs }) => doneMs)),
		row('ms until the last stream has it', ({ near }) => middle(near, ({ lastMs }) => lastMs)),
		row(`ms until the store has all of it, ${LATENCY_MS} ms away`, ({ far }) => middle(far, ({ doneMs }) => doneMs)),
		row('commands or transactions', ({ questions }) => questions),
		row('longest turn of the event loop that sends, ms', ({ near }) => most(near, (cost) => cost.senderTurnMs), 1),
		row('longest turn of the other two, ms', ({ near }) => most(near, (cost) => cost.otherTurnMs), 1),
		row('resident memory of the sender grew by, MB', ({ near }) => most(near, (cost) => cost.senderBytes) / 2 ** 20, 1),
		row('of the other two, MB', ({ near }) => most(near, (cost) => cost.otherBytes) / 2 ** 20, 1),
		row(`of the sender, ${LATENCY_MS} ms away, MB`, ({ far }) => most(far, (cost) => cost.senderBytes) / 2 ** 20, 1),
	];
	return {
		tables: [
			{
				title: `One message to all subscribers of a resource on ${NODES} nodes`,
				markdown: markdownTable(['', ...columns.map(({ title }) => title)], rows),
				rows: rows.map(([title = '']) => title),
				note:
					'The streams of the subscribers are in the processes of their nodes, without sockets: what counts is the way ' +
					'through the store. Turns are without the time that a process waited for a core. Each stream had each message ' +
					'once.',
			},
		],
		problems,
	};
}

/** Nodes that hold the streams of all subscribers, and a link to their store. */
class SubscriberNodes implements AsyncDisposable {
	readonly problems: string[] = [];
	readonly #store: BenchStore;
	readonly #link: SlowLink;
	readonly #nodes: readonly ChildProcess[];

	private constructor(store: BenchStore, link: SlowLink, nodes: readonly ChildProcess[]) {
		this.#store = store;
		this.#link = link;
		this.#nodes = nodes;
	}

	/** Creates the sessions, subscribes as many of them to each URI, and starts the nodes that hold their streams. */
	static async start(store: BenchStore, sizes: readonly number[]): Promise<SubscriberNodes> {
		const most = Math.max(...sizes);
		await createSubscribers(store, most, sizes);
		const variable = store.name === 'postgres' ? storeVariables.postgres : storeVariables.redis;
		const address = new URL(process.env[variable] ?? '');
		const link = await SlowLink.open(Number(address.port), 0);
		address.port = String(link.port);
		const file = fileURLToPath(new URL('./subscriber-node.js', import.meta.url));
		const nodes = Array.from({ length: NODES }, (_, first) => {
			const options: SubscriberNodeOptions = { first, step: NODES, end: most };
			// V8's helper threads wait for a core as well, and the meter of turns could not tell.
			return spawn(
				process.execPath,
				['--expose-gc', '--single-threaded-gc', file, store.name, JSON.stringify(options)],
				{
					stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
					env: { ...process.env, NODE_ENV: 'production', [variable]: address.href },
				},
			);
		});
		const started = new SubscriberNodes(store, link, nodes);
		try {
			await Promise.all(nodes.map((node) => messageOf(node)));
		} catch (error) {
			await started[Symbol.asyncDispose]();
			throw error;
		}
		return started;
	}

	/** Sends one message to so many subscribers, and waits until each of them has it. */
	async message(subscribers: number, latencyMs: number): Promise<Cost> {
		const [sender, ...others] = this.#nodes;
		if (sender === undefined) throw new TypeError('There must be a node.');
		this.#link.delayMs = latencyMs / 2;
		await Promise.all(this.#nodes.map((node) => ask(node, 'begin')));
		const { beganAt, doneAt } = await ask(sender, { update: uriFor(subscribers) });
		const deadline = performance.now() + DEADLINE_MS;
		for (;;) {
			const [first, ...rest] = await Promise.all([ask(sender, 'status'), ...others.map((node) => ask(node, 'status'))]);
			const all = [first, ...rest];
			const received = all.reduce((sum, status) => sum + status.received, 0);
			if (received < subscribers && performance.now() < deadline) {
				await delay(20);
				continue;
			}
			const where = `${this.#store.name}, ${subscribers} subscribers`;
			if (received !== subscribers) this.problems.push(`${where}: ${received} events came`);
			if (all.some(({ most }) => most > 1)) this.problems.push(`${where}: a stream got a message twice`);
			if (all.some(({ wrong }) => wrong > 0)) this.problems.push(`${where}: a stream got another message`);
			return {
				doneMs: doneAt - beganAt,
				lastMs: Math.max(...all.map(({ lastAt }) => lastAt)) - beganAt,
				senderTurnMs: first.longestTurnMs,
				otherTurnMs: Math.max(...rest.map(({ longestTurnMs }) => longestTurnMs)),
				senderBytes: first.grownBytes,
				otherBytes: Math.max(...rest.map(({ grownBytes }) => grownBytes)),
			};
		}
	}

	async [Symbol.asyncDispose](): Promise<void> {
		for (const node of this.#nodes) node.kill('SIGKILL');
		await this.#link[Symbol.asyncDispose]();
	}
}

async function createSubscribers(store: BenchStore, count: number, sizes: readonly number[]): Promise<void> {
	const { info, streams } = await managersOn(store.name);
	try {
		const now = Date.now();
		await inParallel(count, CREATING, async (n) => {
			const id = subscriberId(n);
			await info.create({
				id,
				protocolVersion: '2025-11-25',
				initializeParams: {
					protocolVersion: '2025-11-25',
					clientInfo: { name: 'bench', version: '1' },
					capabilities: {},
				},
				serverCapabilities: { resources: { subscribe: true } },
				createdAt: now,
				lastUsedAt: now,
			});
			// As many as it takes, spread over all.
			for (const size of sizes) if (n % (count / size) < 1) await info.addSubscription(id, uriFor(size));
		});
	} finally {
		await info.close();
		await streams.close();
	}
}

/** What the store has carried out; PostgreSQL says it about a second late. */
async function questionsOf(store: BenchStore): Promise<number> {
	if (store.name === 'postgres') await delay(PUBLISHED_MS);
	return (await store.questions?.()) ?? Number.NaN;
}

async function ask(node: ChildProcess, request: SubscriberNodeRequest): Promise<SubscriberNodeStatus> {
	const answered = messageOf(node);
	node.send(request);
	return (await answered) as SubscriberNodeStatus;
}

/** The next message of a node. Rejects where it says that it failed, ends, or says nothing. */
async function messageOf(node: ChildProcess): Promise<unknown> {
	const ended = new AbortController();
	const signal = AbortSignal.any([ended.signal, AbortSignal.timeout(REPLY_MS)]);
	const onexit = () => ended.abort(new Error('A node ended.'));
	node.once('exit', onexit);
	try {
		const [message] = await once(node, 'message', { signal });
		if (typeof message === 'object' && 'error' in message) throw new Error(`A node failed: ${message.error}`);
		return message;
	} catch (error) {
		throw signal.aborted ? signal.reason : error;
	} finally {
		node.off('exit', onexit);
	}
}

function decimals(value: number | undefined, digits = 0): string {
	return value === undefined || !Number.isFinite(value) ? '–' : value.toFixed(digits);
}
