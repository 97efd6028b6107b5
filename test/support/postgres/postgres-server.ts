import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, cpSync, existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Client, type ClientConfig } from 'pg';
import { until } from '../until.ts';

/** What a line of postgresql.conf says: `{ max_connections: 20 }`. */
export type PostgresSettings = Readonly<Record<string, string | number>>;

const defaults: PostgresSettings = {
	listen_addresses: `'127.0.0.1'`,
	unix_socket_directories: `''`,
	shared_buffers: `'32MB'`,
	// A killed process loses nothing that it gave to the system; only a machine that crashes would.
	fsync: 'off',
	max_connections: 200,
	autovacuum_naptime: `'5s'`,
	log_min_messages: 'fatal',
};

const running = new Set<ChildProcess>();
process.once('exit', () => {
	for (const child of running) child.kill('SIGQUIT');
});

/** Where the programs of a PostgreSQL are. */
export interface Programs {
	/** The folder of `postgres` and `initdb`. */
	readonly folder: string;
}

/** The PostgreSQL of this machine: the one that the environment variable POSTGRES names, else the one on PATH. */
function installed(): Programs {
	const provided = new URL('../../../.cache/bin', import.meta.url).pathname;
	const folders = [...(process.env['PATH'] ?? '').split(delimiter), provided];
	const file = process.env['POSTGRES'] ?? folders.map((folder) => join(folder, 'postgres')).find(existsSync);
	if (file === undefined) throw new Error('postgres is needed: install it, or set POSTGRES to its file.');
	return { folder: existsSync(join(dirname(file), 'initdb')) ? dirname(file) : dirname(realpathSync(file)) };
}

/**
 * One real PostgreSQL on a port and in a folder of its own. It keeps both, and so its data, through {@link stop} and
 * {@link start}; {@link dispose} ends it for good. It ends with this process at the latest. Where this process is
 * root's, the server is nobody's, because it refuses to run as root.
 */
export class PostgresServer implements AsyncDisposable {
	readonly port: number;
	/** Where it keeps its data. */
	readonly folder: string;
	readonly #programs: Programs;
	readonly #clients = new Set<Client>();
	#child: ChildProcess | undefined;
	#output = '';

	private constructor(port: number, folder: string, programs: Programs) {
		this.port = port;
		this.folder = folder;
		this.#programs = programs;
	}

	/** Makes a server that answers. */
	static async create(settings: PostgresSettings = {}, programs: Programs = installed()): Promise<PostgresServer> {
		const folder = mkdtempSync(join(tmpdir(), 'holdfast-postgres-'));
		const { uid, gid } = user();
		if (uid !== undefined && gid !== undefined) chownSync(folder, uid, gid);
		const options = ['--auth=trust', '--username=postgres', '--no-sync', '--encoding=UTF8', '--locale=C'];
		const initdb = join(programs.folder, 'initdb');
		await promisify(execFile)(initdb, [...options, '-D', join(folder, 'data')], { ...user(), cwd: folder });
		return PostgresServer.#startIn(folder, settings, programs);
	}

	/** Makes a standby of this server, which must be stopped. */
	async standby(): Promise<PostgresServer> {
		const folder = mkdtempSync(join(tmpdir(), 'holdfast-postgres-'));
		cpSync(join(this.folder, 'data'), join(folder, 'data'), { recursive: true, preserveTimestamps: true });
		rmSync(join(folder, 'data', 'postmaster.pid'), { force: true });
		writeFileSync(join(folder, 'data', 'standby.signal'), '');
		const { uid, gid } = user();
		if (uid !== undefined) await promisify(execFile)('chown', ['-R', `${uid}:${gid}`, folder]);
		const settings = { primary_conninfo: `'host=127.0.0.1 port=${this.port} user=postgres'` };
		return PostgresServer.#startIn(folder, settings, this.#programs);
	}

	static async #startIn(folder: string, settings: PostgresSettings, programs: Programs): Promise<PostgresServer> {
		// Between the choice of a port and its use another process may take it.
		for (let attempt = 0; ; attempt++) {
			const server = new PostgresServer(await freePort(), folder, programs);
			const lines = Object.entries({ ...defaults, ...settings, port: server.port });
			writeFileSync(
				join(folder, 'data', 'postgresql.auto.conf'),
				lines.map(([name, value]) => `${name} = ${value}\n`).join(''),
			);
			try {
				await server.start();
				return server;
			} catch (error) {
				if (attempt < 3) continue;
				await server.dispose();
				throw error;
			}
		}
	}

	get url(): string {
		return `postgres://postgres@127.0.0.1:${this.port}/postgres`;
	}

	/** The process id; `undefined` while it is stopped. */
	get pid(): number | undefined {
		return this.#child?.pid;
	}

	/** A connected client that {@link dispose} closes. Failures of its connection are nobody's news. */
	async client(config: ClientConfig = {}): Promise<Client> {
		const client = new Client({ connectionString: this.url, ...config });
		client.on('error', () => {});
		this.#clients.add(client);
		await client.connect();
		return client;
	}

	/** Runs statements on a connection of their own; answers the rows of the last. */
	async query<Row extends object = Record<string, unknown>>(sql: string, values: unknown[] = []): Promise<Row[]> {
		const client = await this.client();
		try {
			return (await client.query<Row>(sql, values)).rows;
		} finally {
			this.#clients.delete(client);
			await client.end();
		}
	}

	/** Starts it, again after {@link stop} or {@link crash}, and waits until it answers. */
	async start(): Promise<void> {
		if (this.#child !== undefined) return;
		this.#output = '';
		const child = spawn(join(this.#programs.folder, 'postgres'), ['-D', join(this.folder, 'data')], {
			...user(),
			cwd: this.folder,
			stdio: ['ignore', 'pipe', 'pipe'],
		});
		this.#child = child;
		running.add(child);
		let failure: Error | undefined;
		child.on('error', (error) => {
			failure = error;
		});
		child.once('exit', () => {
			running.delete(child);
			failure ??= new Error(`postgres ended: ${this.#output}`);
			if (this.#child === child) this.#child = undefined;
		});
		for (const pipe of [child.stdout, child.stderr]) {
			pipe.setEncoding('utf8').on('data', (text: string) => {
				this.#output = (this.#output + text).slice(-4_000);
			});
		}
		await until(`postgres answers on port ${this.port}`, async () => failure !== undefined || this.#answers());
		if (failure !== undefined) throw failure;
	}

	/** Ends it as an operator does, who does not wait for clients. */
	stop(): Promise<void> {
		return this.#end('SIGINT');
	}

	/** Ends it at once, as a crash does: what was not committed to disk is recovered, what is unlogged is gone. */
	crash(): Promise<void> {
		return this.#end('SIGQUIT');
	}

	/** Makes a standby take writes. */
	async promote(): Promise<void> {
		await this.query('select pg_promote(true, 20)');
	}

	/** Freezes it: it accepts connections and answers nothing, until {@link resume}. */
	pause(): void {
		const { pid } = this;
		if (pid === undefined) return;
		process.kill(pid, 'SIGSTOP');
		for (const child of childrenOf(pid)) signal(child, 'SIGSTOP');
	}

	resume(): void {
		const { pid } = this;
		if (pid === undefined) return;
		for (const child of childrenOf(pid)) signal(child, 'SIGCONT');
		process.kill(pid, 'SIGCONT');
	}

	/** Ends it and removes its files. */
	async dispose(): Promise<void> {
		this.resume();
		const ended = [...this.#clients].map((client) => client.end().catch(() => {}));
		await this.crash();
		await Promise.all(ended);
		rmSync(this.folder, { recursive: true, force: true });
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.dispose();
	}

	async #end(how: NodeJS.Signals): Promise<void> {
		const child = this.#child;
		if (child?.pid === undefined) return;
		const exited = once(child, 'exit');
		child.kill(how);
		await exited;
	}

	async #answers(): Promise<boolean> {
		const client = new Client({ connectionString: this.url, connectionTimeoutMillis: 500 });
		client.on('error', () => {});
		try {
			await client.connect();
			return true;
		} catch {
			return false;
		} finally {
			await client.end().catch(() => {});
		}
	}
}

/** Whom the server belongs to: nobody, where this process is root's. */
function user(): { uid?: number; gid?: number } {
	return process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
}

function childrenOf(pid: number): number[] {
	const listed = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
	return listed.split(' ').filter(Boolean).map(Number);
}

/** It may have ended meanwhile. */
function signal(pid: number, name: NodeJS.Signals): void {
	try {
		process.kill(pid, name);
	} catch {
		// Nothing is left to signal.
	}
}

/** A port of 127.0.0.1 that is free, below those that outgoing connections get. */
async function freePort(): Promise<number> {
	for (;;) {
		const port = 12_000 + Math.floor(Math.random() * 20_000);
		const server = createServer();
		const free = new Promise<boolean>((resolve) => {
			server.once('listening', () => server.close(() => resolve(true)));
			server.once('error', () => resolve(false));
		});
		server.listen(port, '127.0.0.1');
		if (await free) return port;
	}
}
