import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** What became of a message: the manager took it, refused it, or nobody knows. */
export type Outcome = 'taken' | 'refused' | 'unknown';

/** How a node reaches Redis, and how it is to misbehave. */
export interface NodeOptions {
	readonly connection: unknown;
	readonly history: { readonly maxEvents: number };
	readonly mutant: string | undefined;
}

const program = fileURLToPath(new URL('node.mjs', import.meta.url));
let incarnations = 0;

/** A node in a process of its own, which dies and comes back. */
export class NodeProcess {
	/** Names this life of the node; messages are numbered within it. */
	incarnation = '';
	/** What went wrong in the background, newest last. */
	readonly complaints: string[] = [];
	/** Deaths that nobody ordered. */
	readonly crashes: string[] = [];
	readonly #options: NodeOptions;
	/** Calls that wait for the outcomes of their messages. */
	readonly #answers = new Map<number, (outcomes: readonly Outcome[] | undefined) => void>();
	#child: ChildProcess | undefined;
	#port = 0;
	#requests = 0;
	#messages = 0;

	constructor(options: NodeOptions) {
		this.#options = options;
	}

	/** Where it listens; `undefined` while it is dead. */
	get origin(): string | undefined {
		return this.#port === 0 ? undefined : `http://127.0.0.1:${this.#port}`;
	}

	/** The number of the next message of this life. */
	nextNumber(): number {
		return ++this.#messages;
	}

	async start(): Promise<void> {
		if (this.#child !== undefined) return;
		const child = fork(program, [JSON.stringify(this.#options)], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
		this.#child = child;
		this.incarnation = `n${++incarnations}`;
		this.#messages = 0;
		let noise = '';
		child.stderr?.setEncoding('utf8').on('data', (text: string) => {
			noise = (noise + text).slice(-2_000);
		});
		child.on('message', (message) => this.#receive(message as Reply));
		const listening = new Promise<void>((resolve, reject) => {
			child.once('message', () => resolve());
			child.once('exit', () =>
				this.#child === child ? reject(new Error(`A node did not start: ${noise}`)) : resolve(),
			);
		});
		child.once('exit', (code, signal) => {
			if (this.#child === child) {
				this.crashes.push(`a node ended by itself (${code ?? signal}): ${noise}`);
				this.#gone();
			}
		});
		await listening;
	}

	/** Ends it at once, as a crash does. */
	async kill(): Promise<void> {
		const child = this.#child;
		if (child === undefined) return;
		this.#gone();
		const ended = once(child, 'exit');
		child.kill('SIGKILL');
		await ended;
	}

	/** Has it send events to `ids`, or to everyone, in this order. */
	send(ids: readonly string[] | undefined, events: readonly string[]): Promise<Outcome[]> {
		const child = this.#child;
		if (child === undefined || this.#port === 0) return Promise.resolve(events.map(() => 'refused'));
		return new Promise((resolve) => {
			const id = ++this.#requests;
			this.#answers.set(id, (outcomes) => resolve(events.map((_, index) => outcomes?.[index] ?? 'unknown')));
			child.send({ id, ids, events }, (error) => {
				if (error !== null) resolve(events.map(() => 'unknown'));
			});
		});
	}

	#receive({ port, id, outcomes, error }: Reply): void {
		if (port !== undefined) this.#port = port;
		if (error !== undefined) this.complaints.push(error);
		// Whoever was told `unavailable` does not know: the command may have been carried out.
		if (id === undefined) return;
		this.#answers.get(id)?.(outcomes?.map((each) => (each === 'taken' ? 'taken' : 'unknown')));
		this.#answers.delete(id);
	}

	#gone(): void {
		this.#child = undefined;
		this.#port = 0;
		for (const answer of this.#answers.values()) answer(undefined);
		this.#answers.clear();
	}
}

interface Reply {
	readonly port?: number;
	readonly id?: number;
	readonly outcomes?: string[];
	readonly error?: string;
}
