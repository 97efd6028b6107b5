import { type ChildProcess, spawn } from 'node:child_process';

/** How a program ended, and the last that it wrote. */
export interface Ended {
	/** `null`: a signal ended it. */
	readonly code: number | null;
	readonly output: string;
}

/** What a program is and how it runs. */
export interface ProgramOptions {
	readonly cwd?: string;
	/** Variables beside those of this process. */
	readonly env?: Readonly<Record<string, string>>;
	/** Whose it is, where that is not this process's user. */
	readonly uid?: number;
	readonly gid?: number;
	/** What ends it together with this process (default SIGKILL). */
	readonly lastSignal?: NodeJS.Signals;
}

/** How long a program may take to start, in milliseconds. */
const START_DEADLINE_MS = 60_000;
/** How much of what it wrote is kept, in characters. */
const KEPT_OUTPUT = 16_000;

/** A program that runs as a child of this process, and ends with it at the latest. */
export class Program {
	/** Resolves when it has ended, however that was. */
	readonly ended: Promise<Ended>;
	readonly #child: ChildProcess;
	#output = '';
	#running = true;

	constructor(
		command: string,
		args: readonly string[],
		{ env, lastSignal = 'SIGKILL', ...options }: ProgramOptions = {},
	) {
		const child = spawn(command, args, {
			stdio: ['ignore', 'pipe', 'pipe'],
			...options,
			env: { ...process.env, ...env },
		});
		this.#child = child;
		const endWithUs = () => child.kill(lastSignal);
		process.once('exit', endWithUs);
		for (const pipe of [child.stdout, child.stderr]) {
			pipe.setEncoding('utf8').on('data', (text: string) => {
				this.#output = (this.#output + text).slice(-KEPT_OUTPUT);
			});
		}
		this.ended = new Promise((resolve) => {
			child.once('error', (error) => {
				this.#output += error.message;
			});
			child.once('close', (code) => {
				this.#running = false;
				process.off('exit', endWithUs);
				resolve({ code, output: this.#output });
			});
		});
	}

	get pid(): number | undefined {
		return this.#child.pid;
	}

	get running(): boolean {
		return this.#running;
	}

	/** The last that it wrote. */
	get output(): string {
		return this.#output;
	}

	/** Asks `probe` until it answers something; throws when the program ends before, or does not come so far in time. */
	async until<T>(probe: () => Promise<T | undefined> | T | undefined): Promise<T> {
		const end = performance.now() + START_DEADLINE_MS;
		for (;;) {
			if (!this.#running) throw new Error(`${this.#child.spawnfile} ended: ${this.#output}`);
			const answer = await probe();
			if (answer !== undefined) return answer;
			if (performance.now() > end) {
				this.signal('SIGKILL');
				throw new Error(`${this.#child.spawnfile} did not start within ${START_DEADLINE_MS} ms: ${this.#output}`);
			}
			await new Promise((resolve) => setTimeout(resolve, 10));
		}
	}

	/** Sends a signal. */
	signal(signal: NodeJS.Signals): void {
		this.#child.kill(signal);
	}

	/** Sends a signal and waits for the end. */
	end(signal: NodeJS.Signals): Promise<Ended> {
		this.signal(signal);
		return this.ended;
	}
}
