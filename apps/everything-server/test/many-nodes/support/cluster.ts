import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Nginx, NodeProcess, startNginx } from '@holdfast/local-cluster';
import { beforeAll } from 'vitest';
import { PostgresServer } from '../../../../../test/support/postgres/postgres-server.ts';
import { RedisServer, type RedisSettings } from '../../../../../test/support/redis/redis-server.ts';
import { until } from '../../../../../test/support/until.ts';
import { readiness } from './health.ts';

const program = fileURLToPath(new URL('../../../dist/main.js', import.meta.url));
/** The same of another release, for every other node: see test/mixed-versions. */
const otherProgram = process.env['OTHER_RELEASE'] ?? program;
/** The configuration that is shipped for users. */
export const nginxConfig = fileURLToPath(
	new URL('../../../../../examples/two-nodes-redis/nginx.conf', import.meta.url),
);

/** Where requests are sent: one node, or the balancer. */
export interface Target {
	readonly port: number;
}

/** What tests call the first three nodes. */
export const letters = ['A', 'B', 'C'] as const;

/** What a cluster is made of. */
export interface ClusterOptions {
	readonly nodes?: number;
	/** Flags of each everything-server. */
	readonly flags?: readonly string[];
	readonly redis?: RedisSettings;
	/** Changes the shipped configuration of nginx. */
	readonly nginx?: (text: string) => string;
}

/** What the nodes share. */
interface Store {
	readonly url: string;
	/** Lets it go on after it was frozen. */
	resume?(): void;
	/** Starts it where it was stopped. */
	start?(): Promise<void>;
	dispose(): Promise<void>;
}

let makeStore: ((settings?: RedisSettings) => Promise<Store>) | undefined;

/** Gives the clusters of this test file a PostgreSQL instead of a Redis. */
export function usePostgres(): void {
	makeStore = () => PostgresServer.create();
}

/** Gives the clusters of this test file a file of SQLite instead of a Redis. */
export function useSqlite(): void {
	makeStore = async () => {
		const folder = await mkdtemp(join(tmpdir(), 'many-nodes-'));
		return { url: join(folder, 'sessions.db'), dispose: () => rm(folder, { recursive: true }) };
	};
}

/** A real store, real everything-servers as processes of their own, and a real nginx that takes them in turn. */
export class Cluster implements AsyncDisposable {
	readonly store: Store;
	readonly nodes: readonly NodeProcess[];
	readonly balancer: Nginx;

	private constructor(store: Store, nodes: readonly NodeProcess[], balancer: Nginx) {
		this.store = store;
		this.nodes = nodes;
		this.balancer = balancer;
	}

	static async start({ nodes: count = 3, flags = [], redis: settings, nginx }: ClusterOptions = {}): Promise<Cluster> {
		const store = await (makeStore ?? RedisServer.create)(settings);
		const nodes = await Promise.all(
			Array.from({ length: count }, (_, n) => startNode(store, flags, n % 2 === 0 ? program : otherProgram)),
		);
		// The first one may have to prepare the store.
		for (const node of nodes) await until('the node is ready', async () => (await readiness(node)) === 200);
		const ports = nodes.map(({ port }) => port);
		return new Cluster(store, nodes, await startNginx(nginxConfig, ports, nginx));
	}

	get redis(): RedisServer {
		if (this.store instanceof RedisServer) return this.store;
		throw new Error('This cluster has no Redis.');
	}

	get postgres(): PostgresServer {
		if (this.store instanceof PostgresServer) return this.store;
		throw new Error('This cluster has no PostgreSQL.');
	}

	/** The node of this number; numbers begin again after the last. */
	node(index: number): NodeProcess {
		const node = this.nodes[index % this.nodes.length];
		if (node === undefined) throw new Error('The cluster has no nodes.');
		return node;
	}

	/** The node of this letter. */
	at(letter: (typeof letters)[number]): NodeProcess {
		return this.node(letters.indexOf(letter));
	}

	/** Starts what was killed, and lets go on what was frozen. */
	async heal(): Promise<void> {
		this.store.resume?.();
		await this.store.start?.();
		for (const node of this.nodes) {
			node.resume();
			if (!node.running) await node.restart();
		}
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.balancer.close();
		await Promise.all(this.nodes.map((node) => node.kill()));
		await this.store.dispose();
	}
}

/** Starts one more node on a store; whoever starts it kills it. */
export function startNode(
	store: { readonly url: string },
	flags: readonly string[] = [],
	file = program,
): Promise<NodeProcess> {
	return NodeProcess.start(file, (port) => ({
		args: ['--port', String(port), '--store', store.url, ...flags],
	}));
}

/** One node that keeps its sessions in memory, for all tests of a block: what it answers is the list of that node. */
export function useSingleNode(flags: readonly string[] = []): () => readonly NodeProcess[] {
	const nodes: NodeProcess[] = [];
	beforeAll(async () => {
		const node = await NodeProcess.start(program, (port) => ({ args: ['--port', String(port), ...flags] }));
		nodes.push(node);
		return () => node.kill();
	});
	return () => nodes;
}

/** A cluster for all tests of a file. Reads as the running cluster. */
export function useCluster(options: ClusterOptions = {}): Cluster {
	let cluster: Cluster | undefined;
	beforeAll(async () => {
		cluster = await Cluster.start(options);
		return () => cluster?.[Symbol.asyncDispose]();
	});
	return new Proxy({} as Cluster, {
		get(_target, name) {
			if (cluster === undefined) throw new Error('The cluster runs only while tests run.');
			const value: unknown = Reflect.get(cluster, name, cluster);
			return typeof value === 'function' ? value.bind(cluster) : value;
		},
	});
}
