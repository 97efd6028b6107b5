import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { NodeProcess, startCaddy, startHaproxy, startNginx, startPostgres, startRedis } from '@holdfast/local-cluster';
import { type CallPlan, connect, type LoadClient } from './load-client.ts';

/** What stands in front of the nodes, each with the configuration that is shipped for it. */
export const balancers = {
	nginx: (ports: readonly number[]) => startNginx(fileOf('two-nodes-redis/nginx.conf'), ports),
	haproxy: (ports: readonly number[]) => startHaproxy(fileOf('deployments/haproxy.cfg'), ports),
	caddy: (ports: readonly number[]) => startCaddy(fileOf('deployments/Caddyfile'), ports),
} as const;

/** What the nodes share. */
export const stores = { redis: () => startRedis(), postgres: () => startPostgres() } as const;

/** What is restarted, and how much is done. */
export interface RestartOptions {
	readonly balancer: keyof typeof balancers;
	readonly store: keyof typeof stores;
	/** How often a node is stopped with SIGTERM and started again, one after another. */
	readonly restarts: number;
	/** The load goes on until so many calls have ended, too. */
	readonly calls: number;
	/** How many clients call, in equal shares of each kind. */
	readonly clients: number;
	/** Called after each restart. */
	onrestart?(node: string, calls: number, failed: number): void;
}

/** What came of it. */
export interface RestartCounts {
	readonly restarts: number;
	readonly calls: number;
	/** Calls by client. */
	readonly byClient: Readonly<Record<string, number>>;
	/** Calls of HTTP+SSE clients that were refused unrun, because their client had no stream at that moment. */
	readonly calledAgain: number;
	/** What failed: calls, and nodes that did not stop as they should. */
	readonly failures: readonly string[];
}

const program = fileURLToPath(new URL('../../apps/everything-server/dist/main.js', import.meta.url));

function fileOf(example: string): string {
	return fileURLToPath(new URL(`../../examples/${example}`, import.meta.url));
}

/** The pause of a client of HTTP+SSE after a response, in milliseconds. Others call again at once, or after as long. */
const PAUSE_MS = { least: 30, spread: 120 };
/** How long a balancer leaves out a node that it could not reach: nginx and Caddy for 2 s. */
const BALANCER_FORGIVES_MS = { nginx: 2_500, haproxy: 1_000, caddy: 2_500 } as const;
/** How long a client whose call was refused unrun may take to have a stream again, in milliseconds. */
const BACK_WITHIN_MS = 5_000;
const READY_WITHIN_MS = 20_000;
/** How many clients of each kind do nothing until the restarts are over. */
const IDLE = 2;

const kinds = [
	{ sdk: 'v1', wire: 'http' },
	{ sdk: 'v2', wire: 'http' },
	{ sdk: 'v1', wire: 'sse' },
	{ sdk: 'v2', wire: 'sse' },
] as const;

/** Restarts three nodes behind a balancer, one after another, while official clients call through it. */
export async function runRestarts(options: RestartOptions): Promise<RestartCounts> {
	const { restarts, calls, clients, onrestart } = options;
	const store = await stores[options.store]();
	const flags = ['--store', store.url, '--drain-delay-ms', '500'];
	const start = () => NodeProcess.start(program, (port) => ({ args: ['--port', String(port), ...flags] }));
	const nodes = await Promise.all([start(), start(), start()]);
	await Promise.all(nodes.map(isReady));
	const balancer = await balancers[options.balancer](nodes.map(({ port }) => port));
	const load = new Load(new URL(balancer.url).origin);
	try {
		await load.begin(clients);
		for (let restart = 0; restart < restarts; restart++) {
			const letter = 'ABC'[restart % 3] ?? '';
			const node = nodes[restart % 3];
			if (node === undefined) break;
			const { code, output } = await node.stop();
			if (code !== 0) load.failures.push(`Node ${letter} ended with code ${code}: ${output}`);
			await node.restart();
			await isReady(node);
			await sleep(BALANCER_FORGIVES_MS[options.balancer]);
			onrestart?.(letter, load.calls, load.failures.length);
		}
		while (load.calls < calls) await sleep(100);
		await load.end();
		const { calls: ended, byClient, calledAgain, failures } = load;
		return { restarts, calls: ended, byClient, calledAgain, failures };
	} finally {
		await balancer.close();
		await Promise.all(nodes.map((node) => node.kill()));
		await store.close();
	}
}

/** The clients, and what becomes of their calls. */
class Load {
	calls = 0;
	calledAgain = 0;
	readonly byClient: Record<string, number> = {};
	readonly failures: string[] = [];
	readonly #origin: string;
	readonly #callers: Promise<void>[] = [];
	readonly #idle: { readonly client: LoadClient; readonly kind: string }[] = [];
	#isOver = false;

	constructor(origin: string) {
		this.#origin = origin;
	}

	/** Connects the clients; they call from then on. */
	async begin(clients: number): Promise<void> {
		for (const { sdk, wire } of kinds) {
			const kind = `${sdk} ${wire}`;
			for (let n = 0; n < IDLE; n++) this.#idle.push({ client: await connect(sdk, wire, this.#origin), kind });
			for (let n = 0; n < clients / kinds.length; n++) {
				const client = await connect(sdk, wire, this.#origin);
				this.#callers.push(this.#keepCalling(client, wire, kind, n));
			}
		}
	}

	/** Stops the calls, and has those call that were idle up to now. */
	async end(): Promise<void> {
		this.#isOver = true;
		await Promise.all(this.#callers);
		for (const { client, kind } of this.#idle) {
			await this.#call(client, kind, { name: 'session_info', arguments: {} });
			await client.close();
		}
	}

	async #keepCalling(client: LoadClient, wire: 'http' | 'sse', kind: string, n: number): Promise<void> {
		let sessionId: unknown;
		for (let turn = 0; !this.#isOver; turn++) {
			const plan = plans[turn % plans.length] ?? { name: 'session_info', arguments: {} };
			const content = await this.#call(client, kind, plan);
			if (wire === 'http' && plan.name === 'session_info' && content !== undefined) {
				sessionId ??= content['sessionId'];
				if (content['sessionId'] !== sessionId) this.failures.push(`${kind}: its session is another one`);
			}
			// Every other client of Streamable HTTP calls without a pause.
			if (wire === 'sse' || n % 2 === 1) await sleep(PAUSE_MS.least + Math.random() * PAUSE_MS.spread);
		}
		await client.close();
	}

	async #call(client: LoadClient, kind: string, plan: CallPlan): Promise<Record<string, unknown> | undefined> {
		this.byClient[kind] = (this.byClient[kind] ?? 0) + 1;
		const giveUpAt = performance.now() + BACK_WITHIN_MS;
		for (let attempt = 1; ; attempt++) {
			try {
				const content = await client.call(plan);
				this.calls++;
				return content;
			} catch (error) {
				const { message } = error as Error;
				// Such a call was not run: its client may call again once it has a stream.
				if (/HTTP 404/.test(message) && kind.endsWith('sse') && performance.now() < giveUpAt) {
					if (attempt === 1) this.calledAgain++;
					await sleep(20);
					continue;
				}
				this.calls++;
				this.failures.push(`${new Date().toISOString()} ${kind}, ${plan.name}: ${message}`);
				return undefined;
			}
		}
	}
}

/** What each client does over and over: calls that answer as JSON and as streams, quick and slow. */
const plans: readonly CallPlan[] = [
	{ name: 'session_info', arguments: {} },
	{ name: 'log_many', arguments: { count: 3, intervalMs: 10 } },
	{ name: 'sleep', arguments: { ms: 30 } },
	{ name: 'session_info', arguments: {} },
	{ name: 'sleep', arguments: { ms: 300 } },
];

async function isReady({ url }: NodeProcess): Promise<void> {
	const end = performance.now() + READY_WITHIN_MS;
	while (performance.now() < end) {
		if ((await fetch(new URL('/readyz', url))).ok) return;
		await sleep(50);
	}
	throw new Error(`The node at ${url} did not become ready.`);
}
