import { Cluster, type NatMap, Redis } from 'ioredis';
import { until } from '../until.ts';
import { RedisServer, type RedisSettings } from './redis-server.ts';

/** Servers that together are one Redis, as an operator would set them up. */
export interface RedisTopology extends AsyncDisposable {
	readonly name: 'standalone' | 'sentinel' | 'cluster';
	/** Those that hold data: masters first, then replicas. */
	readonly servers: readonly RedisServer[];
	/**
	 * A new client, made as users of such a Redis make theirs; {@link RedisTopology.dispose} closes it. `through` has
	 * other ways to those servers that hold data.
	 */
	connect(through?: NatMap): Redis | Cluster;
	/** The server that answers for `key` now. */
	masterOf(key: string): Promise<RedisServer>;
	/**
	 * Kills the master of `key` with -9, waits until a replica has taken its place, and answers the one that was killed.
	 * Starting that again makes it a replica. A standalone Redis has none to take over: it throws. Needs {@link
	 * TopologyOptions.failsOver}.
	 */
	failOver(key: string): Promise<RedisServer>;
	/** Waits until every server runs, every replica follows its master, and has all that this has taken by now. */
	replicated(): Promise<void>;
	/** Ends every master as an operator does, starts it again, and waits until all answer for their keys. */
	restart(): Promise<void>;
	/** Every key of every master. */
	keys(): Promise<string[]>;
	/** Empties every master. */
	flush(): Promise<void>;
	/** How often the masters together carried out `command` (in lower case): `INFO commandstats`. */
	calls(command: string): Promise<number>;
	/** Ends every server and client, and removes all files. */
	dispose(): Promise<void>;
}

export interface TopologyOptions {
	/**
	 * Whether a replica takes over once its master has been silent for a second (default `false`). Then it does so, too,
	 * some seconds after a test paused or restarted the servers, in the middle of the next one, and what it has not got
	 * is lost: that is for tests of fail-over.
	 */
	readonly failsOver?: boolean;
}

/** Longer than any test runs. */
const NEVER_MS = 3_600_000;

/** The three topologies, for `describe.each`. */
export const topologies = [
	['standalone', startStandalone],
	['sentinel', startSentinel],
	['cluster', startCluster],
] as const;

/** One server. `settings` are lines of redis.conf, e.g. `{ appendonly: 'yes' }`. Ready in 0.1 s. */
export async function startStandalone(settings: RedisSettings = {}): Promise<RedisTopology> {
	const server = await RedisServer.create(settings);
	return topology('standalone', [server], [], {
		connect: (through) => new Redis(wayTo(server, through)),
		masterOf: async () => server,
		failOver: async () => {
			throw new Error('A standalone Redis has nothing to fail over to.');
		},
	});
}

/** A master, two replicas and three sentinels; a fail-over takes about 3 s. Ready in 2 to 3 s. */
export async function startSentinel(
	settings: RedisSettings = {},
	{ failsOver = false }: TopologyOptions = {},
): Promise<RedisTopology> {
	const master = await RedisServer.create(settings);
	const replicas = await Promise.all(
		[1, 2].map(() => RedisServer.create({ ...settings, replicaof: `127.0.0.1 ${master.port}` })),
	);
	const servers = [master, ...replicas];
	await Promise.all(replicas.map(isLinked));
	const downAfterMs = failsOver ? 1_000 : NEVER_MS;
	const sentinels = await Promise.all(
		[1, 2, 3].map(() => RedisServer.create(sentinelOf(master, downAfterMs), { sentinel: true })),
	);
	const clients = sentinels.map((sentinel) => sentinel.client());
	await Promise.all(
		clients.map((client) =>
			until('the sentinels know each other and the replicas', async () => {
				const view = asRecord(await client.call('SENTINEL', 'master', 'holdfast'));
				return view['num-other-sentinels'] === '2' && view['num-slaves'] === '2';
			}),
		),
	);
	const addresses = sentinels.map(({ port }) => ({ host: '127.0.0.1', port }));
	const options = {
		sentinels: addresses,
		name: 'holdfast',
		sentinelRetryStrategy: () => 100,
		retryStrategy: () => 100,
	};
	/** The master, once every sentinel that runs names the same and has no fail-over under way. */
	const masterOf = () =>
		until('the sentinels agree on the master', async () => {
			const views = await Promise.all(
				clients.map(async (client) => asRecord(await client.call('SENTINEL', 'master', 'holdfast'))),
			);
			const ports = new Set(views.map(({ port }) => Number(port)));
			const [port] = ports;
			const agreed = ports.size === 1 && views.every(({ flags }) => !flags?.includes('failover'));
			return agreed && port !== undefined && serverOn(servers, port);
		});
	return topology('sentinel', servers, sentinels, {
		connect: (through) => new Redis({ ...options, ...(through && { natMap: through }) }),
		masterOf,
		failOver: async () => {
			const old = await masterOf();
			await old.kill();
			await until('the sentinels agree on a new master', async () => {
				const next = await masterOf();
				return next !== old && (await hasRole(next, 'master'));
			});
			return old;
		},
	});
}

/** Three masters that share the slots, with a replica each; a fail-over takes about 2 s. Ready in 2 to 3 s. */
export async function startCluster(
	settings: RedisSettings = {},
	{ failsOver = false }: TopologyOptions = {},
): Promise<RedisTopology> {
	const cluster: RedisSettings = {
		'cluster-enabled': 'yes',
		'cluster-node-timeout': 1_000,
		'cluster-replica-validity-factor': 0,
	};
	const servers = await Promise.all(Array.from({ length: 6 }, () => RedisServer.create({ ...cluster, ...settings })));
	const clients = servers.map((server) => server.client());
	const ids = await Promise.all(clients.map((client) => client.cluster('MYID')));
	const slots = [0, 5461, 10923, 16384];
	await Promise.all(
		clients.map(async (client, index) => {
			await client.call('CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1));
			const [from, to] = [slots[index], slots[index + 1]];
			if (from !== undefined && to !== undefined) await client.call('CLUSTER', 'ADDSLOTSRANGE', from, to - 1);
		}),
	);
	await acquaint(servers, clients);
	await Promise.all(
		clients.map(async (client, index) => {
			const master = ids[index - 3];
			if (master === undefined) return;
			// A node that has not heard of the master yet refuses.
			await until('a replica may follow its master', () => client.call('CLUSTER', 'REPLICATE', master));
		}),
	);
	await Promise.all(servers.slice(3).map(isLinked));
	await Promise.all(
		clients.map((client) =>
			until('every node sees three masters with a replica each', async () => {
				const [info, nodes] = await Promise.all([client.cluster('INFO'), client.call('CLUSTER', 'NODES')]);
				return (
					info.includes('cluster_state:ok') &&
					String(nodes).match(/\bslave [0-9a-f]{40} \d+ \d+ \d+ connected/g)?.length === 3
				);
			}),
		),
	);
	if (!failsOver) {
		// Not before: it is also how often the nodes of a new cluster tell each other what they know.
		await Promise.all(clients.map((client) => client.config('SET', 'cluster-node-timeout', NEVER_MS)));
		await Promise.all(clients.map((client) => client.config('REWRITE')));
	}
	const masterOf = async (key: string) => {
		for (const client of clients.filter((_, index) => servers[index]?.pid !== undefined)) {
			const slot = await client.cluster('KEYSLOT', key);
			const ranges = await client.cluster('SLOTS');
			const range = ranges.find(([from, to]) => from <= slot && slot <= to);
			if (range?.[2] !== undefined) return serverOn(servers, range[2][1]);
		}
		throw new Error('No node of the cluster answers.');
	};
	return topology('cluster', servers, [], {
		connect: (through) =>
			new Cluster(
				servers.slice(0, 3).map((server) => wayTo(server, through)),
				{ clusterRetryStrategy: () => 100, ...(through && { natMap: through }) },
			),
		masterOf,
		failOver: async (key) => {
			const old = await masterOf(key);
			await old.kill();
			await until('a replica takes the slots of the dead master', async () => {
				const next = await masterOf(key);
				return next !== old && (await hasRole(next, 'master')) && (await isWhole(next));
			});
			return old;
		},
	});
}

function topology(
	name: RedisTopology['name'],
	servers: readonly RedisServer[],
	others: readonly RedisServer[],
	own: Pick<RedisTopology, 'connect' | 'masterOf' | 'failOver'>,
): RedisTopology {
	const clients = new Set<Redis | Cluster>();
	const asked = new Map(servers.map((server) => [server, server.client({ maxRetriesPerRequest: 1 })]));
	async function masters(): Promise<RedisServer[]> {
		const found: RedisServer[] = [];
		for (const server of servers) {
			if (server.pid !== undefined && (await hasRole(server, 'master'))) found.push(server);
		}
		return found;
	}
	/** Asks each master. */
	async function each<T>(ask: (client: Redis) => Promise<T>): Promise<T[]> {
		const answers: T[] = [];
		for (const server of await masters()) {
			const client = asked.get(server);
			if (client !== undefined) answers.push(await ask(client));
		}
		return answers;
	}
	const dispose = async () => {
		for (const client of clients) client.disconnect();
		await Promise.all([...others, ...servers].map((server) => server.dispose()));
	};
	return {
		...own,
		name,
		servers,
		replicated: async () => {
			const wanted = name === 'cluster' ? 3 : 1;
			/** What each master had taken when it was first asked: it takes more, such as its own pings, all the time. */
			const taken = new Map<string, number>();
			await until('every replica has what its master has', async () => {
				const infos = await each((client) => client.info('replication'));
				const replicas = infos.flatMap((info) => {
					const [, history = '', offset] = /master_replid:(\w+)[\s\S]*master_repl_offset:(\d+)/.exec(info) ?? [];
					const due = taken.get(history) ?? Number(offset);
					taken.set(history, due);
					return [...info.matchAll(/^slave\d+:.*state=online,offset=(\d+)/gm)].filter(([, has]) => Number(has) >= due);
				});
				return infos.length === wanted && replicas.length === servers.length - wanted;
			});
		},
		restart: async () => {
			const restarted = await masters();
			for (const server of restarted) {
				await server.stop();
				await server.start();
			}
			if (name !== 'cluster') return;
			for (const server of restarted) await until('the cluster is whole', () => isWhole(server));
		},
		connect: (through) => {
			const client = own.connect(through);
			client.on('error', () => {});
			client.once('end', () => clients.delete(client));
			clients.add(client);
			return client;
		},
		keys: async () => (await each((client) => client.keys('*'))).flat(),
		flush: async () => void (await each((client) => client.flushall())),
		calls: async (command) => {
			const infos = await each((client) => client.info('commandstats'));
			const counts = infos.map((info) => Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(info)?.[1] ?? 0));
			return counts.reduce((sum, count) => sum + count, 0);
		},
		dispose,
		[Symbol.asyncDispose]: dispose,
	};
}

/** Where a client finds `server`. */
function wayTo({ port }: RedisServer, through: NatMap | undefined): { host: string; port: number } {
	const host = '127.0.0.1';
	return (typeof through === 'function' ? null : through?.[`${host}:${port}`]) ?? { host, port };
}

function sentinelOf({ port }: RedisServer, downAfterMs: number): RedisSettings {
	return {
		sentinel: [
			`monitor holdfast 127.0.0.1 ${port} 2`,
			`down-after-milliseconds holdfast ${downAfterMs}`,
			'failover-timeout holdfast 3000',
			'parallel-syncs holdfast 2',
		],
		'repl-diskless-sync-delay': [],
		'repl-ping-replica-period': [],
		save: [],
		appendonly: [],
	};
}

function isLinked(server: RedisServer): Promise<boolean> {
	return hasInfo(server, 'master_link_status:up');
}

async function hasInfo(server: RedisServer, text: string): Promise<boolean> {
	const client = server.client();
	try {
		return await until(`INFO replication has ${text}`, async () => (await client.info('replication')).includes(text));
	} finally {
		client.disconnect();
	}
}

async function hasRole(server: RedisServer, role: 'master' | 'slave'): Promise<boolean> {
	const client = server.client();
	try {
		return (await client.info('replication')).includes(`role:${role}`);
	} finally {
		client.disconnect();
	}
}

async function isWhole(server: RedisServer): Promise<boolean> {
	const client = server.client();
	try {
		return (await client.cluster('INFO')).includes('cluster_state:ok');
	} finally {
		client.disconnect();
	}
}

function serverOn(servers: readonly RedisServer[], port: number): RedisServer {
	const server = servers.find((each) => each.port === port);
	if (server === undefined) throw new Error(`No server of this topology is on port ${port}.`);
	return server;
}

/** A reply of pairs, as either protocol version gives it. */
function asRecord(reply: unknown): Record<string, string> {
	if (!Array.isArray(reply)) return reply as Record<string, string>;
	const pairs: Record<string, string> = {};
	for (let index = 0; index < reply.length; index += 2) pairs[String(reply[index])] = String(reply[index + 1]);
	return pairs;
}

/**
 * Makes the nodes of a cluster know each other. On a busy machine a handshake may be given up: then they meet again.
 */
async function acquaint(servers: readonly RedisServer[], clients: readonly Redis[]): Promise<void> {
	let meetAt = 0;
	await until(
		'every node of the cluster knows every other',
		async () => {
			const lists = await Promise.all(clients.map(async (client) => String(await client.call('CLUSTER', 'NODES'))));
			const known = lists.map((list) =>
				list.split('\n').filter((line) => / connected/.test(line) && !/handshake/.test(line)),
			);
			if (known.every(({ length }) => length === servers.length)) return true;
			if (performance.now() < meetAt) return false;
			meetAt = performance.now() + 2_000;
			for (const client of clients) {
				for (const { port } of servers) await client.call('CLUSTER', 'MEET', '127.0.0.1', port);
			}
			return false;
		},
		20_000,
	);
}
