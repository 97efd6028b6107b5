import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Cores, pinned } from './cores.js';
import type { FanoutReport } from './fanout-report.js';
import { serverKinds } from './server-kinds.js';
import type { ServerProcess } from './server-process.js';

const program = fileURLToPath(new URL('./fanout-client.js', import.meta.url));
const DEADLINE_MS = 120_000;

/** The process that holds a stream of each of many sessions: see `fanout-client.ts`. */
export class FanoutClients implements Disposable {
	readonly #server: ServerProcess;
	readonly #process: ChildProcess;
	readonly #folder = mkdtempSync(join(tmpdir(), 'holdfast-fanout-'));

	/** Opens a stream of each session. They go on at `next` where the server dies. */
	static async open(
		server: ServerProcess,
		sessions: readonly string[],
		cores: Cores | undefined,
		next?: ServerProcess,
	): Promise<FanoutClients> {
		const clients = new FanoutClients(server, sessions, cores, next);
		try {
			await clients.report();
			return clients;
		} catch (error) {
			clients[Symbol.dispose]();
			throw error;
		}
	}

	private constructor(
		server: ServerProcess,
		sessions: readonly string[],
		cores: Cores | undefined,
		next: ServerProcess | undefined,
	) {
		this.#server = server;
		const file = join(this.#folder, 'sessions');
		writeFileSync(file, sessions.join('\n'));
		const args = [program, String(server.port), file, ...(next === undefined ? [] : [String(next.port)])];
		const command = pinned(cores?.generator, process.execPath, args);
		this.#process = spawn(...command, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
	}

	/** What they report next. */
	async report(): Promise<FanoutReport> {
		const signal = AbortSignal.timeout(DEADLINE_MS);
		const [report] = (await once(this.#process, 'message', { signal })) as [FanoutReport];
		if ('error' in report) throw new Error(`${serverKinds[this.#server.kind].title}: ${report.error}`);
		return report;
	}

	[Symbol.dispose](): void {
		this.#process.kill('SIGKILL');
		rmSync(this.#folder, { recursive: true });
	}
}
