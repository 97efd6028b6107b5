import type { Cores } from './cores.js';
import { FanoutClients } from './fanout-clients.js';
import { LISTEN } from './fanout-report.js';
import { openSessions } from './mcp-client.js';
import { type ServerKindName, serverKinds } from './server-kinds.js';
import { ServerProcess } from './server-process.js';

/** What opening cost the server, for each session or stream. */
export interface Opened {
	/** `undefined` where there are no sessions. */
	readonly sessionHeap: number | undefined;
	readonly sessionRss: number | undefined;
	readonly streamHeap: number;
	readonly streamRss: number;
	readonly streamCpuMicros: number;
}

/** One broadcast: CPU time of the server for each client, and when the first and the last client had it. */
export interface Broadcast {
	readonly cpuMicros: number;
	readonly firstMs: number;
	readonly lastMs: number;
}

/** A server with many open session streams, and the process that holds them. */
export class FanoutTarget implements AsyncDisposable {
	readonly server: ServerProcess;
	readonly opened: Opened;
	readonly #clients: FanoutClients;
	readonly #streams: number;

	/** Starts a server, opens its sessions and streams, and checks that a broadcast reaches each of them once. */
	static async prepare(kind: ServerKindName, streams: number, cores: Cores | undefined): Promise<FanoutTarget> {
		const server = await ServerProcess.start(kind, cores);
		try {
			const listens = serverKinds[kind].listens === true;
			const open = (count: number) =>
				listens ? Promise.resolve(Array.from({ length: count }, () => LISTEN)) : openSessions(server, count);
			await open(50);
			const empty = await server.memory();
			const sessions = await open(streams);
			const idle = await server.memory();
			const before = await server.exactCpuMicros();
			const clients = await FanoutClients.open(server, sessions, cores);
			const cpu = (await server.exactCpuMicros()) - before;
			const busy = await server.memory();
			const target = new FanoutTarget(server, clients, streams, {
				sessionHeap: listens ? undefined : (idle.heap - empty.heap) / streams,
				sessionRss: listens ? undefined : (idle.rss - empty.rss) / streams,
				streamHeap: (busy.heap - idle.heap) / streams,
				streamRss: (busy.rss - idle.rss) / streams,
				streamCpuMicros: cpu / streams,
			});
			await target.broadcast();
			return target;
		} catch (error) {
			await server[Symbol.asyncDispose]();
			throw error;
		}
	}

	private constructor(server: ServerProcess, clients: FanoutClients, streams: number, opened: Opened) {
		this.server = server;
		this.#clients = clients;
		this.#streams = streams;
		this.opened = opened;
	}

	/** Sends one broadcast. Resolves when every client has it; rejects if one has it twice, or is cut off. */
	async broadcast(): Promise<Broadcast> {
		const before = await this.server.exactCpuMicros();
		const [began, report] = await Promise.all([this.server.broadcast(), this.#clients.report()]);
		if (!('first' in report)) throw new Error('A client reported that it is open again.');
		return {
			cpuMicros: ((await this.server.exactCpuMicros()) - before) / this.#streams,
			firstMs: (report.first - began) / 1e6,
			lastMs: (report.last - began) / 1e6,
		};
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#clients[Symbol.dispose]();
		await this.server[Symbol.asyncDispose]();
	}
}
