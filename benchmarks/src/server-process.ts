import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type Cores, pinned } from './cores.js';
import { processCpuMicros } from './process-cpu.js';
import type { ServerReply, ServerRequest } from './server.js';
import type { ServerKindName } from './server-kinds.js';

const program = fileURLToPath(new URL('./server.js', import.meta.url));
const startDeadlineMs = 30_000;
const replyDeadlineMs = 120_000;

/** A server under test in a process of its own, on the core for servers. */
export class ServerProcess implements AsyncDisposable {
	readonly kind: ServerKindName;
	readonly port: number;
	readonly #child: ChildProcess;

	/** Starts a server. Resolves once it listens; rejects if it exits before, or does not listen within 30 s. */
	static async start(kind: ServerKindName, cores: Cores | undefined): Promise<ServerProcess> {
		const [command, args] = pinned(cores?.server, process.execPath, ['--expose-gc', program, kind]);
		const child = spawn(command, args, {
			stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
			env: { ...process.env, NODE_ENV: 'production' },
		});
		try {
			const reply = await nextReply(child, startDeadlineMs);
			if (!('port' in reply)) throw new Error(`The server "${kind}" did not start: ${JSON.stringify(reply)}`);
			return new ServerProcess(kind, reply.port, child);
		} catch (error) {
			child.kill('SIGKILL');
			throw error;
		}
	}

	private constructor(kind: ServerKindName, port: number, child: ChildProcess) {
		this.kind = kind;
		this.port = port;
		this.#child = child;
	}

	/** The CPU time used so far, in microseconds; `undefined` where the system does not report it. */
	cpuMicros(): number | undefined {
		return this.#child.pid === undefined ? undefined : processCpuMicros(this.#child.pid);
	}

	/** The heap in use after garbage collection, in bytes. */
	heapBytes(): Promise<number> {
		return this.#ask({ ask: 'heap' });
	}

	/** The heap in use and the resident memory after garbage collection, in bytes. */
	async memory(): Promise<{ readonly heap: number; readonly rss: number }> {
		const heap = await this.heapBytes();
		return { heap, rss: await this.#ask({ ask: 'rss' }) };
	}

	/** The CPU time used so far, in microseconds, as the process itself measures it: exact to less than a tick. */
	exactCpuMicros(): Promise<number> {
		return this.#ask({ ask: 'cpu' });
	}

	/** Sends one broadcast. Resolves with the time at which it began, in nanoseconds of the monotonic clock. */
	broadcast(): Promise<number> {
		return this.#ask({ ask: 'broadcast' });
	}

	/** Starts sampling where the server spends its time. */
	async startProfile(intervalMicros: number): Promise<void> {
		await this.#ask({ ask: 'start-profile', intervalMicros });
	}

	/** Stops the profile and writes it to `file`, in the format of `node --cpu-prof`. */
	async stopProfile(file: string): Promise<void> {
		await this.#ask({ ask: 'stop-profile', file });
	}

	/** Ends the process. */
	async [Symbol.asyncDispose](): Promise<void> {
		if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
		const exit = once(this.#child, 'exit');
		this.#child.kill('SIGKILL');
		await exit;
	}

	async #ask(request: ServerRequest): Promise<number> {
		const reply = nextReply(this.#child, replyDeadlineMs);
		this.#child.send(request);
		const result = await reply;
		if ('value' in result) return result.value;
		throw new Error(`The server "${this.kind}" could not ${request.ask}: ${JSON.stringify(result)}`);
	}
}

async function nextReply(child: ChildProcess, deadlineMs: number): Promise<ServerReply> {
	const ended = new AbortController();
	const signal = AbortSignal.any([ended.signal, AbortSignal.timeout(deadlineMs)]);
	const onexit = (code: number | null) => ended.abort(new Error(`The server ended with code ${code}.`));
	child.once('exit', onexit);
	const onerror = (error: Error) => ended.abort(error);
	child.once('error', onerror);
	try {
		const [reply] = await once(child, 'message', { signal });
		return reply;
	} catch (error) {
		throw signal.aborted ? signal.reason : error;
	} finally {
		child.off('exit', onexit);
		child.off('error', onerror);
	}
}
