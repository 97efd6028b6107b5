import { type Ended, Program } from './program.js';

/** A node that runs as a process of its own, and can die and come back at the same address. */
export class NodeProcess {
	readonly #args: (port: number) => readonly string[];
	#program: Program;
	#url = '';

	private constructor(args: (port: number) => readonly string[], port: number) {
		this.#args = args;
		this.#program = new Program(process.execPath, args(port));
	}

	/**
	 * Starts `node` with the arguments that `args` answers, which make it listen on `port` (0: a free one) and print its URL;
	 * resolves when it has.
	 */
	static async start(args: (port: number) => readonly string[], port = 0): Promise<NodeProcess> {
		const node = new NodeProcess(args, port);
		await node.#listening();
		return node;
	}

	/** What it printed. */
	get url(): string {
		return this.#url;
	}

	get port(): number {
		return Number(new URL(this.#url).port);
	}

	get pid(): number | undefined {
		return this.#program.pid;
	}

	get running(): boolean {
		return this.#program.running;
	}

	/** Resolves when it has ended, however that was. */
	get ended(): Promise<Ended> {
		return this.#program.ended;
	}

	/** The last that it wrote. */
	get output(): string {
		return this.#program.output;
	}

	/** Ends it with -9. */
	kill(): Promise<Ended> {
		return this.#program.end('SIGKILL');
	}

	/** Ends it as an operator does. */
	stop(): Promise<Ended> {
		return this.#program.end('SIGTERM');
	}

	/** Freezes it: its connections stay, and nothing is answered, until {@link resume}. */
	pause(): void {
		this.#program.signal('SIGSTOP');
	}

	resume(): void {
		this.#program.signal('SIGCONT');
	}

	/** Starts it again at its address, after it has ended. */
	async restart(): Promise<void> {
		this.#program = new Program(process.execPath, this.#args(this.port));
		await this.#listening();
	}

	async #listening(): Promise<void> {
		this.#url = await this.#program.until(() => /https?:\/\/\S+/.exec(this.#program.output)?.[0]);
	}
}
