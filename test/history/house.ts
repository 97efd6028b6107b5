import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { TcpProxy } from '../support/network/tcp-proxy.ts';
import type { RedisServer } from '../support/redis/redis-server.ts';
import { type RedisTopology, startCluster, startSentinel, startStandalone } from '../support/redis/redis-topology.ts';
import { NodeProcess } from './node-process.ts';
import type { Random } from './random.ts';

export type TopologyName = RedisTopology['name'];

/** Something that goes wrong and, by the time it is done, is over. */
export interface Fault {
	readonly name: string;
	/** Whether the store may forget what it took. */
	readonly loses: boolean;
	run(): Promise<void>;
}

/** Events that nodes keep of each session, and of broadcasts. A client that misses more must be told to read again. */
export const MAX_EVENTS = 400;

/** Makes a node that reaches its store so. */
export type MakeNode = (connection: unknown) => NodeProcess;

const nodeCount = 3;
const starters = { standalone: startStandalone, sentinel: startSentinel, cluster: startCluster };

/** A store, nodes on it, and all that can go wrong with them. Many schedules share one. */
export interface StoreHouse extends AsyncDisposable {
	readonly nodes: readonly NodeProcess[];
	/** Where the nodes that live listen. */
	readonly origins: () => readonly string[];
	/** Whether a replica may take a master's place, and know less. */
	readonly failsOver: boolean;
	/** Resolves once replicas have what the masters have. */
	replicated(): Promise<void>;
	/** Names the histories of all masters. */
	replicationHistories(): Promise<string>;
	/** A fault, which one the random numbers decide. */
	fault(random: Random): Fault;
}

/** Redis in one topology, three nodes on it, and all that can go wrong with them. Many schedules share one. */
export class House implements StoreHouse {
	readonly nodes: readonly NodeProcess[];
	readonly #topology: RedisTopology;
	/** What each node reaches Redis through; a standalone Redis only. */
	readonly #proxies: readonly TcpProxy[];
	/** The last of the faults that end a Redis, which take turns. */
	#restarts = Promise.resolve();
	/** For orders to the servers, in their order. */
	readonly #admins: readonly Redis[];

	private constructor(topology: RedisTopology, proxies: readonly TcpProxy[], makeNode: MakeNode) {
		this.#topology = topology;
		this.#proxies = proxies;
		this.#admins = topology.servers.map((server) => server.client());
		this.nodes = Array.from({ length: nodeCount }, (_, index) => makeNode(this.#connection(index)));
	}

	static async open(
		name: TopologyName,
		mutant?: string,
		makeNode: MakeNode = (connection) => new NodeProcess({ connection, history: { maxEvents: MAX_EVENTS }, mutant }),
	): Promise<House> {
		const settings = {
			appendonly: 'yes',
			appendfsync: 'always',
			// A dead master that comes back before all sentinels know of the new one must not take anything.
			...(name === 'sentinel' && { 'min-replicas-to-write': 1 }),
		};
		const topology = await starters[name](settings, { failsOver: true });
		const proxies: TcpProxy[] = [];
		const [first] = topology.servers;
		if (name === 'standalone' && first !== undefined) {
			for (let index = 0; index < nodeCount; index++) proxies.push(await TcpProxy.to(first.port));
		}
		if (name === 'sentinel') await hastenSentinels(topology);
		const house = new House(topology, proxies, makeNode);
		await Promise.all(house.nodes.map((node) => node.start()));
		return house;
	}

	/** Where the nodes that live listen. */
	readonly origins = (): readonly string[] =>
		this.nodes.map(({ origin }) => origin).filter((origin) => origin !== undefined);

	/** Whether a replica may take a master's place, and know less. */
	get failsOver(): boolean {
		return this.#topology.name !== 'standalone';
	}

	/** Resolves once replicas have what the masters have. */
	async replicated(): Promise<void> {
		if (!this.failsOver) return;
		for (const [index, admin] of this.#admins.entries()) {
			if (this.#topology.servers[index]?.pid === undefined || !(await this.#isMaster(admin))) continue;
			// Only what this connection wrote is waited for.
			await admin.call('EVAL', "return redis.call('PUBLISH', 'replicate', '')", '0');
			// It may have become a replica just now.
			await admin.call('WAIT', '1', '2000').catch(() => undefined);
		}
	}

	/**
	 * Names the replication histories of all masters. Another answer than before tells that something failed over, which
	 * Sentinels and Clusters also do unasked, when a busy machine lets a master wait.
	 */
	async replicationHistories(): Promise<string> {
		const infos = await Promise.all(this.#admins.map((admin) => admin.info('replication')));
		const masters = infos.filter((info) => info.includes('role:master'));
		return masters
			.map((info) => /master_replid:(\w+)/.exec(info)?.[1])
			.sort()
			.join();
	}

	/** A fault, which one the random numbers decide. */
	fault(random: Random): Fault {
		const kinds = this.failsOver ? this.#replicatedFaults : this.#standaloneFaults;
		const total = kinds.reduce((sum, [weight]) => sum + weight, 0);
		let left = random.next() * total;
		for (const [weight, make] of kinds) {
			left -= weight;
			if (left < 0) return make(random);
		}
		throw new Error('The weights do not add up.');
	}

	/** Has every server that holds data work with other settings. */
	async configure(name: string, value: string): Promise<void> {
		for (const admin of this.#admins) await admin.config('SET', name, value);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await Promise.all(this.nodes.map((node) => node.kill()));
		await Promise.all(this.#proxies.map((proxy) => proxy.dispose()));
		await this.#topology.dispose();
	}

	/** Kinds of faults, with how often each is chosen beside the others. */
	get #standaloneFaults(): readonly (readonly [weight: number, make: (random: Random) => Fault])[] {
		return [
			[4, (random) => this.#killNode(random)],
			[3, () => this.#killClients('normal')],
			[3, () => this.#killClients('pubsub')],
			[2, (random) => this.#throughProxy('stall', random, random.int(200, 1_200))],
			[0.2, (random) => this.#throughProxy('stall', random, random.int(4_000, 6_000))],
			[2, (random) => this.#throughProxy('drop', random, 0)],
			[2, (random) => this.#throughProxy('refuse', random, random.int(50, 600))],
			[2, (random) => this.#pauseRedis(random)],
			[2, (random) => this.#restartRedis(random)],
		];
	}

	get #replicatedFaults(): readonly (readonly [weight: number, make: (random: Random) => Fault])[] {
		return [
			[2, (random) => this.#killNode(random)],
			[1, () => this.#killClients('normal')],
			[1, () => this.#killClients('pubsub')],
			[4, (random) => this.#failOver(random)],
		];
	}

	#connection(index: number): unknown {
		const { name, servers } = this.#topology;
		if (name === 'standalone') return { redis: { host: '127.0.0.1', port: this.#proxies[index]?.port } };
		if (name === 'cluster') return { cluster: servers.map(({ port }) => ({ host: '127.0.0.1', port })) };
		const { sentinels, name: group } = (this.#topology.connect() as Redis).options;
		return { redis: { sentinels, name: group } };
	}

	#killNode(random: Random): Fault {
		const node = random.pick(this.nodes);
		const pauseMs = random.int(0, 300);
		return fault('kill a node', async () => {
			await node.kill();
			await sleep(pauseMs);
			await node.start();
		});
	}

	#killClients(type: 'normal' | 'pubsub'): Fault {
		return fault(`client kill ${type}`, async () => {
			for (const [index, admin] of this.#admins.entries()) {
				if (this.#topology.servers[index]?.pid === undefined) continue;
				await admin.call('CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes');
			}
		});
	}

	#throughProxy(how: 'stall' | 'drop' | 'refuse', random: Random, forMs: number): Fault {
		const proxy = random.pick(this.#proxies);
		return fault(`${how} a node's connections for ${forMs} ms`, async () => {
			proxy[how]();
			await sleep(forMs);
			proxy.flow();
		});
	}

	#pauseRedis(random: Random): Fault {
		const forMs = random.int(100, 900);
		return fault(`freeze Redis for ${forMs} ms`, async () => {
			const [server] = this.#topology.servers;
			server?.pause();
			await sleep(forMs);
			server?.resume();
		});
	}

	#restartRedis(random: Random): Fault {
		const forMs = random.int(0, 400);
		const gently = random.chance(0.5);
		return fault(`${gently ? 'stop' : 'kill'} Redis, start it ${forMs} ms later`, () =>
			this.#alone(async () => {
				const [server] = this.#topology.servers;
				await (gently ? server?.stop() : server?.kill());
				await sleep(forMs);
				await server?.start();
			}),
		);
	}

	#failOver(random: Random): Fault {
		const key = random.chance(0.3) ? 'holdfast:{broadcast}:log' : `{${random.next()}}`;
		return fault(
			'fail-over',
			() =>
				this.#alone(async () => {
					const old = await this.#topology.failOver(key);
					await old.start();
					// Sentinels do this too, only later.
					if (this.#topology.name === 'sentinel') {
						const { port } = await this.#topology.masterOf(key);
						await this.#adminOf(old).replicaof('127.0.0.1', port);
					}
					await this.#allLinked();
				}),
			true,
		);
	}

	/** Resolves once there are as many masters as there were, and every other server follows one. */
	async #allLinked(): Promise<void> {
		const end = performance.now() + 30_000;
		const masters = this.#topology.name === 'sentinel' ? 1 : 3;
		for (;;) {
			const infos = await Promise.all(this.#admins.map((admin) => admin.info('replication')));
			const replicas = infos.filter((info) => info.includes('master_link_status:up')).length;
			if (
				infos.filter((info) => info.includes('role:master')).length === masters &&
				replicas === infos.length - masters
			)
				return;
			if (performance.now() > end) throw new Error('The replicas did not come back.');
			await sleep(20);
		}
	}

	/**
	 * Runs `work` when none before is under way: with two masters dead at once, none is replaced, and one that is stopped
	 * while it starts never answers.
	 */
	#alone(work: () => Promise<void>): Promise<void> {
		this.#restarts = this.#restarts.then(work);
		return this.#restarts;
	}

	#adminOf(server: RedisServer): Redis {
		const admin = this.#admins[this.#topology.servers.indexOf(server)];
		if (admin === undefined) throw new Error('No server of this house.');
		return admin;
	}

	async #isMaster(admin: Redis): Promise<boolean> {
		return (await admin.info('replication')).includes('role:master');
	}
}

/**
 * A fail-over that finds no replica fit, because their connections were just cut, is tried again after twice this time.
 */
async function hastenSentinels(topology: RedisTopology): Promise<void> {
	const { sentinels, name } = (topology.connect() as Redis).options;
	for (const { port } of sentinels ?? []) {
		const client = new Redis(Number(port), '127.0.0.1');
		await client.call('SENTINEL', 'SET', String(name), 'failover-timeout', '1000');
		client.disconnect();
	}
}

export function fault(name: string, run: () => Promise<void>, loses = false): Fault {
	return { name, loses, run };
}
