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

/** What a node runs, and what of it goes to whom. */
export interface NodeProgram {
	/** The file to run; it gets the options as JSON. */
	readonly path: string;
	/** Told of messages of the program that are none of the checker's own. */
	onreport?(report: unknown): void;
}

/** How a life of a node ended on order: it was killed, or it left by itself when it was asked to. */
export type NodeEnd = 'killed' | 'left';

const defaultProgram: NodeProgram = { path: fileURLToPath(new URL('node.mjs', import.meta.url)) };
/** How soon after it was asked to leave a node gets no more requests, as a balancer sees to it, in milliseconds. */
const BALANCER_MS = 50;
/** A node that was asked to leave and has not by then is stuck, in milliseconds. */
const LEAVE_MS = 15_000;
let incarnations = 0;

/** A node in a process of its own, which dies and comes back. */
export class NodeProcess {
	/** Names this life of the node; messages are numbered within it. */
	incarnation = '';
	/** What went wrong in the background, newest last. */
	readonly complaints: string[] = [];
	/** Deaths that nobody ordered. */
	readonly crashes: string[] = [];
	/** How the lives before this one ended. */
	readonly ends = new Map<string, NodeEnd>();
	readonly #options: unknown;
	readonly #program: NodeProgram;
	/** Calls that wait for the outcomes of their messages. */
	readonly #answers = new Map<number, (outcomes: readonly Outcome[] | undefined) => void>();
	#child: ChildProcess | undefined;
	#port = 0;
	#requests = 0;
	#messages = 0;
	#noise = '';
	#leaving: ChildProcess | undefined;

	constructor(options: NodeOptions | object, program = defaultProgram) {
		this.#options = options;
		this.#program = program;
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
		const child = fork(this.#program.path, [JSON.stringify(this.#options)], {
			stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
		});
		this.#child = child;
		this.incarnation = `n${++incarnations}`;
		this.#messages = 0;
		this.#noise = '';
		child.stderr?.setEncoding('utf8').on('data', (text: string) => {
			this.#noise = (this.#noise + text).slice(-2_000);
		});
		child.on('message', (message) => {
			if (this.#child === child) this.#receive(message as Reply);
			this.#program.onreport?.(message);
		});
		const listening = new Promise<void>((resolve, reject) => {
			child.once('message', () => resolve());
			child.once('exit', () =>
				this.#child === child ? reject(new Error(`A node did not start: ${this.#noise}`)) : resolve(),
			);
		});
		child.once('exit', (code, signal) => {
			if (this.#child !== child) return;
			const left = this.#leaving === child && code === 0;
			if (!left) this.crashes.push(`a node ended by itself (${code ?? signal}): ${this.#noise}`);
			this.#gone(left ? 'left' : 'killed');
		});
		await listening;
	}

	/** Ends it at once, as a crash does. */
	async kill(): Promise<void> {
		const child = this.#child;
		if (child === undefined) return;
		this.#gone('killed');
		const ended = once(child, 'exit');
		child.kill('SIGKILL');
		await ended;
	}

	/** Asks it to leave, and waits until it has. It gets no more requests soon after it was asked. */
	async leave(): Promise<void> {
		const child = this.#child;
		// One that does not listen yet cannot be asked.
		if (child === undefined || this.#port === 0) return;
		this.#leaving = child;
		const ended = once(child, 'exit');
		child.kill('SIGTERM');
		const withdraw = setTimeout(() => {
			if (this.#child === child) this.#port = 0;
		}, BALANCER_MS);
		const giveUp = setTimeout(() => {
			this.crashes.push(`a node did not leave in ${LEAVE_MS} ms: ${this.#noise}`);
			child.kill('SIGKILL');
		}, LEAVE_MS);
		await ended;
		clearTimeout(withdraw);
		clearTimeout(giveUp);
	}

	/** Freezes it: it answers nothing. Returns a function that lets it go on. */
	pause(): () => void {
		const child = this.#child;
		child?.kill('SIGSTOP');
		return () => child?.kill('SIGCONT');
	}

	/** What this life wrote to its standard error, the newest of it. */
	get noise(): string {
		return this.#noise;
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

	#gone(how: NodeEnd): void {
		this.ends.set(this.incarnation, how);
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
