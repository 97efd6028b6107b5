import { setTimeout as sleep } from 'node:timers/promises';
import { TcpProxy } from '../support/network/tcp-proxy.ts';
import { PostgresServer } from '../support/postgres/postgres-server.ts';
import { type Fault, fault, MAX_EVENTS, type MakeNode, type StoreHouse } from './house.ts';
import { NodeProcess } from './node-process.ts';
import type { Random } from './random.ts';

const nodeCount = 3;

/** One PostgreSQL, three nodes on it, each with a way of its own, and all that can go wrong with them. */
export class PostgresHouse implements StoreHouse {
	readonly nodes: readonly NodeProcess[];
	readonly failsOver = false;
	readonly #server: PostgresServer;
	readonly #proxies: readonly TcpProxy[];
	/** The last of the faults that end the server, which take turns. */
	#restarts = Promise.resolve();

	private constructor(server: PostgresServer, proxies: readonly TcpProxy[], makeNode: MakeNode) {
		this.#server = server;
		this.#proxies = proxies;
		this.nodes = proxies.map(({ port }) => makeNode({ postgres: server.url.replace(`:${server.port}/`, `:${port}/`) }));
	}

	static async open(
		mutant?: string,
		makeNode: MakeNode = (connection) => new NodeProcess({ connection, history: { maxEvents: MAX_EVENTS }, mutant }),
	): Promise<PostgresHouse> {
		const server = await PostgresServer.create();
		const proxies = await Promise.all(Array.from({ length: nodeCount }, () => TcpProxy.to(server.port)));
		const house = new PostgresHouse(server, proxies, makeNode);
		await Promise.all(house.nodes.map((node) => node.start()));
		return house;
	}

	/** Where the nodes that live listen. */
	readonly origins = (): readonly string[] =>
		this.nodes.map(({ origin }) => origin).filter((origin) => origin !== undefined);

	async replicated(): Promise<void> {}

	replicationHistories(): Promise<string> {
		return Promise.resolve('');
	}

	/** A fault, which one the random numbers decide. */
	fault(random: Random): Fault {
		const kinds = this.#faults;
		let left = random.next() * kinds.reduce((sum, [weight]) => sum + weight, 0);
		for (const [weight, make] of kinds) {
			left -= weight;
			if (left < 0) return make(random);
		}
		throw new Error('The weights do not add up.');
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await Promise.all(this.nodes.map((node) => node.kill()));
		await Promise.all(this.#proxies.map((proxy) => proxy.dispose()));
		await this.#server.dispose();
	}

	/** Kinds of faults, with how often each is chosen beside the others. */
	get #faults(): readonly (readonly [weight: number, make: (random: Random) => Fault])[] {
		return [
			[4, (random) => this.#killNode(random)],
			[3, () => this.#terminate('those that listen', `query like '%listen%'`)],
			[3, () => this.#terminate('those with statements', `query not like '%listen%'`)],
			[2, (random) => this.#throughProxy('stall', random, random.int(200, 1_200))],
			[0.2, (random) => this.#throughProxy('stall', random, random.int(4_000, 6_000))],
			[2, (random) => this.#throughProxy('drop', random, 0)],
			[2, (random) => this.#throughProxy('refuse', random, random.int(50, 600))],
			[2, (random) => this.#pause(random)],
			[2, (random) => this.#restart(random)],
		];
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

	/** Ends connections of the nodes as an administrator does. */
	#terminate(which: string, where: string): Fault {
		return fault(`terminate ${which}`, async () => {
			const sql = `select pg_terminate_backend(pid) from pg_stat_activity
				where application_name = 'holdfast' and ${where}`;
			// It may be down just now.
			await this.#server.query(sql).catch(() => []);
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

	#pause(random: Random): Fault {
		const forMs = random.int(100, 900);
		return fault(`freeze PostgreSQL for ${forMs} ms`, async () => {
			this.#server.pause();
			await sleep(forMs);
			this.#server.resume();
		});
	}

	#restart(random: Random): Fault {
		const forMs = random.int(0, 400);
		const gently = random.chance(0.5);
		return fault(`${gently ? 'stop' : 'crash'} PostgreSQL, start it ${forMs} ms later`, () => {
			this.#restarts = this.#restarts.then(async () => {
				// One that is frozen does not hear that it shall stop.
				this.#server.resume();
				await (gently ? this.#server.stop() : this.#server.crash());
				await sleep(forMs);
				await this.#server.start();
			});
			return this.#restarts;
		});
	}
}
