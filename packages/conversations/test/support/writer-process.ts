import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const files = fileURLToPath(new URL('./writer.mjs', import.meta.url));

/** A write that a writer reported. */
export interface Report {
	readonly kind: 'm' | 'c' | 'd' | 'h';
	readonly n: number;
	readonly result?: unknown;
	/** The code of the error. */
	readonly error?: string;
	readonly message?: string;
}

/** A process that writes the conversation `c`. */
export class WriterProcess {
	/** What it reported so far. */
	readonly reports: Report[] = [];
	readonly #process: ChildProcess;
	readonly #ended: Promise<unknown>;
	#onreport: (() => void) | undefined;

	/** `shell` is run before `program`, such as a limit. */
	constructor(root: string, name: string, count: number, kinds: string, shell = '', program = files) {
		const command = `${shell} exec "$0" "$@"`;
		const args = ['-c', command, process.execPath, program, root, name, String(count), kinds];
		this.#process = spawn('/bin/sh', args, { stdio: ['ignore', 'pipe', 'inherit'] });
		this.#ended = once(this.#process, 'close');
		const { stdout } = this.#process;
		if (stdout === null) throw new Error('The writer has no output.');
		createInterface({ input: stdout }).on('line', (line) => {
			if (!line.endsWith('}')) return;
			this.reports.push(JSON.parse(line));
			this.#onreport?.();
		});
	}

	/** Resolves when it has reported `count` writes, or has ended. */
	async reported(count: number): Promise<void> {
		await Promise.race([
			this.#ended,
			new Promise<void>((resolve) => {
				const look = () => {
					if (this.reports.length >= count) resolve();
				};
				this.#onreport = look;
				look();
			}),
		]);
	}

	/** Ends it as a crash does, and resolves with what it had reported. */
	async kill(): Promise<readonly Report[]> {
		this.#process.kill('SIGKILL');
		await this.#ended;
		return this.reports;
	}

	/** Resolves with its reports when it has ended by itself. */
	async done(): Promise<readonly Report[]> {
		await this.#ended;
		return this.reports;
	}
}
