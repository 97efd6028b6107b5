import type { Cluster, Redis } from 'ioredis';
import { TcpProxy } from '../../../../test/support/network/tcp-proxy.ts';
import type { RedisTopology } from '../../../../test/support/redis/redis-topology.ts';

/** How one node reaches the servers of a topology: ways of its own, which can be cut. */
export class NodeNetwork implements AsyncDisposable {
	readonly #redis: RedisTopology;
	readonly #proxies: ReadonlyMap<number, TcpProxy>;
	readonly #clients: (Redis | Cluster)[] = [];

	private constructor(redis: RedisTopology, proxies: ReadonlyMap<number, TcpProxy>) {
		this.#redis = redis;
		this.#proxies = proxies;
	}

	/** Ways to every server that holds data. */
	static async to(redis: RedisTopology): Promise<NodeNetwork> {
		const ways = redis.servers.map(async ({ port }) => [port, await TcpProxy.to(port)] as const);
		return new NodeNetwork(redis, new Map(await Promise.all(ways)));
	}

	/** A new client that goes these ways. */
	connect(): Redis | Cluster {
		const ways = [...this.#proxies].map(([port, proxy]) => [
			`127.0.0.1:${port}`,
			{ host: '127.0.0.1', port: proxy.port },
		]);
		const client = this.#redis.connect(Object.fromEntries(ways));
		this.#clients.push(client);
		return client;
	}

	/** Ends every connection, and new ones as soon as they are made. */
	cut(): void {
		for (const proxy of this.#proxies.values()) proxy.refuse();
	}

	mend(): void {
		for (const proxy of this.#proxies.values()) proxy.flow();
	}

	/** Closes the clients and the ways. */
	async dispose(): Promise<void> {
		for (const client of this.#clients) client.disconnect();
		await Promise.all([...this.#proxies.values()].map((proxy) => proxy.dispose()));
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.dispose();
	}
}
