import { type Ended, Program } from './program.js';

/** How a node is told its port. */
export interface NodeCommand {
	readonly args?: readonly string[];
	readonly env?: Readonly<Record<string, string>>;
}

/** A node that runs as a process of its own, and can die and come back at the same address. */
export class NodeProcess {
	readonly #file: string;
	readonly #command: (port: number) => NodeCommand;
	#program: Program;
	#url = '';

	private constructor(file: string, command: (port: number) => NodeCommand) {
		this.#file = file;
		this.#command = command;
		this.#program = this.#run(0);
	}

	/**
	 * Runs the program `file`, which listens on the port that `command` tells it (0: a free one) and prints its URL;
	 * resolves when it has.
	 */
	static async start(file: string, command: (port: number) => NodeCommand): Promise<NodeProcess> {
		const node = new NodeProcess(file, command);
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
		this.#program = this.#run(this.port);
		await this.#listening();
	}

	#run(port: number): Program {
		const { args = [], env = {} } = this.#command(port);
		return new Program(process.execPath, [this.#file, ...args], { env });
	}

	async #listening(): Promise<void> {
		this.#url = await this.#program.until(() => /https?:\/\/\S+/.exec(this.#program.output)?.[0]);
	}
}
