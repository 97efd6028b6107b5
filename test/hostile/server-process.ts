import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { NodeStats } from '@holdfast/transport';
import { within } from '../support/deadline.ts';

/** What a server of besieged.mjs holds at the moment. */
export interface Held extends NodeStats {
	readonly streams: Readonly<Record<string, number>>;
	readonly info: Readonly<Record<string, number>>;
	/** Open connections of both doors. */
	readonly sockets: number;
}

interface Stats {
	readonly held: Held;
	/** What `onerror` was told since the last question. */
	readonly reported: readonly string[];
}

/** Nothing is left of any session: only the node's own two listeners. */
export const nothingHeld: Omit<Held, 'sockets'> = {
	sessions: 0,
	liveServers: 0,
	requestsInFlight: 0,
	requestsWaiting: 0,
	connections: 0,
	bodyBytes: 0,
	streams: { streams: 0, listeners: 2, sessions: 0, events: 0 },
	info: { sessions: 0, records: 0, subscriptions: 0, stateValues: 0, leases: 0, bytes: 0 },
};

/** A server of besieged.mjs in a process of its own, which nothing keeps from dying of an unhandled error. */
export class ServerProcess {
	readonly ports: Readonly<Record<'handle' | 'respond', number>>;
	readonly #child: ChildProcess;
	readonly #answers = new Map<number, (answer: unknown) => void>();
	#questions = 0;
	#stderr = '';
	#exit: string | undefined;

	private constructor(child: ChildProcess, ports: ServerProcess['ports']) {
		this.#child = child;
		this.ports = ports;
		child.stderr?.on('data', (text: Buffer) => {
			this.#stderr += text;
		});
		child.on('exit', (code, signal) => {
			this.#exit = `exit code ${code}, signal ${signal}`;
		});
		child.on('message', ({ id, answer }: { id: number; answer: unknown }) => {
			this.#answers.get(id)?.(answer);
			this.#answers.delete(id);
		});
	}

	/**
	 * Starts it with a server of one of the SDKs inside; `program` serves the transport under test (default: Streamable
	 * HTTP).
	 */
	static async start(sdk: 'v1' | 'v2', program = new URL('http-server.mjs', import.meta.url)): Promise<ServerProcess> {
		const child = fork(fileURLToPath(program), [sdk], {
			execArgv: ['--expose-gc'],
			stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
		});
		const [message] = await within(once(child, 'message'), 'the server process to listen (is it built?)', 20_000);
		return new ServerProcess(child, (message as Pick<ServerProcess, 'ports'>).ports);
	}

	/** Why the process is not well: it ended, or wrote to stderr; `undefined` when it is. */
	get trouble(): string | undefined {
		if (this.#exit === undefined && this.#stderr === '') return undefined;
		return `The server process: ${this.#exit ?? 'running'}. ${this.#stderr}`;
	}

	stats(): Promise<Stats> {
		return this.#ask('stats');
	}

	/** Bytes in use after everything that can be collected was. */
	heap(): Promise<number> {
		return this.#ask('heap');
	}

	/** What it holds, as soon as `expected` is that; or else what it holds when the time is over. */
	async settled(expected: Partial<Held>, deadlineMs = 5_000): Promise<Partial<Held>> {
		const keys = Object.keys(expected) as (keyof Held)[];
		const end = Date.now() + deadlineMs;
		for (;;) {
			const { held } = await this.stats();
			const now = Object.fromEntries(keys.map((key) => [key, held[key]])) as Partial<Held>;
			if (JSON.stringify(now) === JSON.stringify(expected) || Date.now() > end) return now;
		}
	}

	async stop(): Promise<void> {
		if (this.#exit !== undefined) return;
		const exit = once(this.#child, 'exit');
		this.#child.disconnect();
		await exit;
	}

	#ask<T>(question: 'stats' | 'heap'): Promise<T> {
		if (this.#exit !== undefined) throw new Error(this.trouble);
		const id = ++this.#questions;
		const answer = new Promise((resolve) => this.#answers.set(id, resolve));
		this.#child.send({ id, question });
		return within(answer as Promise<T>, `an answer about ${question}; ${this.trouble ?? 'the process runs'}`);
	}
}
