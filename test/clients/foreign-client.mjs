// A client in a process of its own, as its parent sees it.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('client-process.mjs', import.meta.url));

/** How long a client may take for one thing, in milliseconds: below the minute after which they give up themselves. */
const DEADLINE_MS = 50_000;

const running = new Set();
process.once('exit', () => {
	for (const child of running) child.kill('SIGKILL');
});

export class ForeignClient {
	/** What it wrote, and how it ended. */
	output = '';
	#child;
	#waiting = new Map();
	#nextId = 1;
	#closed;

	/** Starts the client `alias` under the Node at `node`; `way` says how it shall connect. */
	constructor(node, { alias, driver, way }) {
		this.#child = spawn(node, [program, alias, driver, JSON.stringify(way)], {
			stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
		});
		running.add(this.#child);
		for (const pipe of [this.#child.stdout, this.#child.stderr]) {
			pipe.setEncoding('utf8').on('data', (text) => {
				this.output = (this.output + text).slice(-4_000);
			});
		}
		this.#child.on('message', ({ id, value, error }) => this.#waiting.get(id)?.({ value, error }));
		this.#closed = new Promise((resolve) => {
			this.#child.once('close', (code, signal) => {
				running.delete(this.#child);
				const error = `the client's process ended: ${signal ?? code}, ${this.output.trim()}`;
				for (const settle of this.#waiting.values()) settle({ error });
				resolve();
			});
		});
	}

	connect(url) {
		return this.#ask('connect', url);
	}

	/** The names of the tools. */
	list() {
		return this.#ask('list');
	}

	/** The JSON that a tool answers. `patienceMs`: for how long the application waits for it. */
	call(name, args = {}, patienceMs = DEADLINE_MS) {
		return this.#askFor(patienceMs, 'call', name, args);
	}

	/** How often it was told that the tools have changed. */
	changes() {
		return this.#ask('changes');
	}

	/** Lets the client say goodbye, and ends its process. */
	async close() {
		try {
			await this.#ask('close');
		} finally {
			this.#child.kill('SIGKILL');
			await this.#closed;
		}
	}

	#ask(command, ...args) {
		return this.#askFor(DEADLINE_MS, command, ...args);
	}

	#askFor(deadlineMs, command, ...args) {
		const id = this.#nextId++;
		return new Promise((resolve, reject) => {
			const settle = ({ value, error }) => {
				clearTimeout(overdue);
				this.#waiting.delete(id);
				if (error === undefined) resolve(value);
				else reject(new Error(error));
			};
			const overdue = setTimeout(() => settle({ error: `no answer within ${deadlineMs} ms` }), deadlineMs);
			this.#waiting.set(id, settle);
			if (this.#child.connected) this.#child.send({ id, command, args });
			else settle({ error: `the client's process has ended: ${this.output.trim()}` });
		});
	}
}
