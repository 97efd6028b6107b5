import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis, type RedisOptions } from 'ioredis';
import { until } from '../until.ts';

/** What a line of redis.conf says: `{ appendonly: 'yes' }`; several values make several lines. */
export type RedisSettings = Readonly<Record<string, string | number | readonly string[]>>;

const defaults: RedisSettings = {
	bind: '127.0.0.1',
	save: '""',
	appendonly: 'no',
	loglevel: 'warning',
	'repl-diskless-sync-delay': 0,
	'repl-ping-replica-period': 1,
};

const running = new Set<ChildProcess>();
process.once('exit', () => {
	for (const child of running) child.kill('SIGKILL');
});

/**
 * One real redis-server (or sentinel) on a port and in a folder of its own. It is the program that the environment
 * variable REDIS_SERVER names, else the one on PATH. It keeps its port and folder, and so its data as far as its
 * settings persist any, through {@link stop} and {@link start}; {@link dispose} ends it for good. It ends with this
 * process at the latest.
 */
export class RedisServer implements AsyncDisposable {
	readonly port: number;
	/** Where it keeps its files. */
	readonly folder = mkdtempSync(join(tmpdir(), 'holdfast-redis-'));
	readonly #arguments: readonly string[];
	readonly #clients = new Set<Redis>();
	#child: ChildProcess | undefined;
	#output = '';

	private constructor(port: number, settings: RedisSettings, sentinel: boolean) {
		this.port = port;
		const lines = Object.entries({ ...defaults, ...settings, port }).flatMap(([name, value]) =>
			[value].flat().map((each) => `${name} ${each}`),
		);
		writeFileSync(join(this.folder, 'redis.conf'), lines.join('\n'));
		this.#arguments = ['redis.conf', ...(sentinel ? ['--sentinel'] : [])];
	}

	/** Starts a server that answers. */
	static async create(settings: RedisSettings = {}, { sentinel = false } = {}): Promise<RedisServer> {
		// Between the choice of a port and its use another process may take it.
		for (let attempt = 0; ; attempt++) {
			const server = new RedisServer(await freePort(), settings, sentinel);
			try {
				await server.start();
				return server;
			} catch (error) {
				await server.dispose();
				if (attempt >= 3) throw error;
			}
		}
	}

	get url(): string {
		return `redis://127.0.0.1:${this.port}`;
	}

	/** The process id; `undefined` while it is stopped. */
	get pid(): number | undefined {
		return this.#child?.pid;
	}

	/** A client of this server that {@link dispose} closes. Failures of its connection are nobody's news. */
	client(options: Omit<RedisOptions, 'replyMapping'> = {}): Redis {
		const client = new Redis({ port: this.port, host: '127.0.0.1', ...options });
		client.on('error', () => {});
		this.#clients.add(client);
		return client;
	}

	/** Starts it, again after {@link stop} or {@link kill}, and waits until it answers. */
	async start(): Promise<void> {
		if (this.#child !== undefined) return;
		this.#output = '';
		const child = spawn(process.env['REDIS_SERVER'] ?? 'redis-server', this.#arguments, {
			cwd: this.folder,
			stdio: ['ignore', 'pipe', 'pipe'],
		});
		this.#child = child;
		running.add(child);
		let failure: Error | undefined;
		child.on('error', (error) => {
			failure = error;
		});
		child.once('close', () => {
			running.delete(child);
			failure ??= new Error(`redis-server ended: ${this.#output}`);
			if (this.#child === child) this.#child = undefined;
		});
		for (const pipe of [child.stdout, child.stderr]) {
			pipe.setEncoding('utf8').on('data', (text: string) => {
				this.#output = (this.#output + text).slice(-4_000);
			});
		}
		await until(`redis-server answers on port ${this.port}`, async () => failure !== undefined || this.#answers());
		if (failure !== undefined) throw failure;
	}

	/** Ends it as an operator does: it writes what it persists, then goes. */
	stop(): Promise<void> {
		return this.#end('SIGTERM');
	}

	/** Ends it at once, as a crash does. */
	kill(): Promise<void> {
		return this.#end('SIGKILL');
	}

	/** Freezes it: it accepts connections and answers nothing, until {@link resume}. */
	pause(): void {
		this.#child?.kill('SIGSTOP');
	}

	resume(): void {
		this.#child?.kill('SIGCONT');
	}

	/** Ends it and removes its files. */
	async dispose(): Promise<void> {
		for (const client of this.#clients) client.disconnect();
		await this.kill();
		rmSync(this.folder, { recursive: true, force: true });
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.dispose();
	}

	async #end(signal: NodeJS.Signals): Promise<void> {
		const child = this.#child;
		if (child?.pid === undefined) return;
		const closed = once(child, 'close');
		child.kill(signal);
		await closed;
	}

	/** Whether a PING is answered; a server that loads its data answers an error to it. */
	#answers(): Promise<boolean> {
		return new Promise((resolve) => {
			const socket = connect(this.port, '127.0.0.1', () => socket.write('PING\r\n'));
			const done = (answer: boolean) => {
				socket.destroy();
				resolve(answer);
			};
			socket.setTimeout(500, () => done(false));
			socket.once('data', (data) => done(/^(\+PONG|-NOAUTH)/.test(data.toString())));
			socket.once('error', () => done(false));
			socket.once('close', () => done(false));
		});
	}
}

/**
 * A port of 127.0.0.1 that is free, as is the one 10,000 above it, which a cluster node takes too. Both are below those
 * that outgoing connections get, so that a server finds its port free again when it comes back.
 */
async function freePort(): Promise<number> {
	for (;;) {
		const port = 12_000 + Math.floor(Math.random() * 10_000);
		if ((await isFree(port)) && (await isFree(port + 10_000))) return port;
	}
}

async function isFree(port: number): Promise<boolean> {
	const server = createServer();
	const listening = new Promise<boolean>((resolve) => {
		server.once('listening', () => resolve(true));
		server.once('error', () => resolve(false));
	});
	server.listen(port, '127.0.0.1');
	const free = await listening;
	if (free) await new Promise((resolve) => server.close(resolve));
	return free;
}
