// What is demanded of clients: together they connect, list and call, and go on while one node after another is killed.
import { ForeignClient } from './foreign-client.mjs';

/** How long a client of HTTP+SSE may take until its calls are answered again, in milliseconds. */
const RECOVERY_MS = 20_000;
/** How long an application waits for a call whose stream may have died with its node, in milliseconds. */
const PATIENCE_MS = 3_000;
/** How long a client may take to hear of a change, in milliseconds. */
const NOTICE_MS = 15_000;

/**
 * Tries the clients `rows` (`alias`, `driver`, `way`, `session`) against three nodes behind a balancer. Returns of each
 * how many calls were cut off with their node, and what went wrong, if anything.
 */
export async function tryClients(rows, cluster, node) {
	const trials = rows.map((row) => new Trial(row, cluster, node));
	/** Runs one step of every trial that has not failed yet, and waits for all. */
	const all = (step, run) => Promise.all(trials.map((trial) => trial.attempt(step, () => run(trial))));
	// One after another: processes that start are what this machine is slow at.
	for (const trial of trials) await trial.attempt('connect', () => trial.connect());
	await all('use', (trial) => trial.use());
	for (const [index, victim] of cluster.nodes.entries()) {
		await all('call', (trial) => trial.begin());
		await victim.kill();
		await all(`go on after node ${index + 1} died`, (trial) => trial.goOn());
		await victim.restart();
		await cluster.ready(victim);
	}
	await all('close', (trial) => trial.close());
	for (const trial of trials) await trial.end();
	return trials.map(({ result }) => result);
}

class Trial {
	#row;
	#url;
	#node;
	#client;
	#hears = false;
	#count = 0;
	#running = [];
	/** How many calls are made at each step, and how many run while a node dies. */
	#calls = 4;
	#atOnce = 3;
	#closed = false;
	#failure;
	#cutOff = 0;

	constructor(row, cluster, node) {
		this.#row = row;
		this.#url = cluster.url(row.way.transport);
		this.#node = node;
		// Each call needs a program of its own.
		if (row.session === 'one call') this.#calls = this.#atOnce = 1;
	}

	get result() {
		return { ...this.#row, cutOff: this.#cutOff, hears: this.#hears, failure: this.#failure };
	}

	async attempt(step, run) {
		if (this.#failure !== undefined) return;
		try {
			await run();
		} catch (error) {
			this.#failure = `could not ${step}: ${error.message}`;
		}
	}

	async connect() {
		this.#client = new ForeignClient(this.#node, this.#row);
		({ hears: this.#hears } = await this.#client.connect(this.#url));
	}

	async use() {
		const names = await this.#client.list();
		if (!names.includes('counter_add')) throw new Error(`it lists ${names.join(', ') || 'nothing'}`);
		for (let n = 0; n < this.#calls; n++) await this.#countsOn();
		await this.#hearsOfAChange();
	}

	/** Begins calls that take a while, on whichever nodes. */
	async begin() {
		// With the stream of HTTP+SSE goes what would have answered its calls.
		if (this.#row.way.transport === 'sse') return;
		const calls = Array.from({ length: this.#atOnce }, () => this.#client.call('sleep', { ms: 1_500 }));
		this.#running = Promise.allSettled(calls);
		// Requests leave in the order in which they were made.
		await this.#client.call('session_info');
	}

	/** Every call that ran has ended, and what comes next is as if nothing had happened. */
	async goOn() {
		const settled = await this.#running;
		this.#cutOff += settled.filter(({ status }) => status === 'rejected').length;
		if (this.#row.way.reconnects === false) await this.#connectAnew();
		else if (this.#row.way.transport === 'sse' || this.#row.session === 'renewed') await this.#recover();
		for (let n = 0; n < this.#calls; n++) await this.#countsOn();
		await this.#hearsOfAChange();
	}

	async close() {
		this.#closed = true;
		await this.#client.close();
	}

	async end() {
		if (!this.#closed) await this.#client.close().catch(() => {});
	}

	/** What an application does whose client stays without a stream once it has lost it. */
	async #connectAnew() {
		await this.#client.close();
		this.#count = 0;
		await this.connect();
	}

	/**
	 * A session of HTTP+SSE lives as long as its stream: its client opens the next, and counts anew. Until another node
	 * knows that the stream died, it accepts calls that nobody can be told the end of; the application tries again.
	 */
	async #recover() {
		const end = performance.now() + RECOVERY_MS;
		for (;;) {
			try {
				this.#count = (await this.#client.call('counter_add', { key: 'calls' }, PATIENCE_MS)).value;
				return;
			} catch (error) {
				if (performance.now() > end) throw error;
				await new Promise((resolve) => setTimeout(resolve, 100));
			}
		}
	}

	/** The session counts its calls: one that was lost, or ran twice, or ran in another session, would show. */
	async #countsOn() {
		const { value } = await this.#client.call('counter_add', { key: 'calls' });
		this.#count = this.#row.session === 'one call' ? 1 : this.#count + 1;
		if (value !== this.#count) throw new Error(`the session counted ${value} calls instead of ${this.#count}`);
	}

	async #hearsOfAChange() {
		if (!this.#hears) return;
		const before = await this.#client.changes();
		const end = performance.now() + NOTICE_MS;
		while ((await this.#client.changes()) === before) {
			if (performance.now() > end) throw new Error('it heard of no change of the tools');
			await this.#client.call('notify_list_changed', { kind: 'tools' });
			await new Promise((resolve) => setTimeout(resolve, 100));
		}
	}
}
