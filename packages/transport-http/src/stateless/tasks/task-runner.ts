import { SessionManagerError } from '@holdfast/session-manager';
import type { JsonObject } from '@holdfast/session-manager/custom';
import type { SdkServer } from '@holdfast/transport';
import { ErrorCode, type SessionHost } from '@holdfast/transport/internal';
import { checkedWork } from './checked-work.js';
import { RunningTask, type Task } from './running-task.js';
import { isOver, startsOf, type TaskRecord } from './task-record.js';
import { failed, type TaskStore } from './task-store.js';

/** Options for tasks (2026-07-28, the extension `io.modelcontextprotocol/tasks`). */
export interface TaskOptions {
	/**
	 * How long a task and its result are kept after it was made, in milliseconds. Work that takes longer is aborted.
	 * @default 3_600_000 (an hour)
	 */
	readonly ttlMs?: number;
	/**
	 * How often clients are told to ask for a task, in milliseconds.
	 * @default 1_000
	 */
	readonly pollIntervalMs?: number;
	/**
	 * The most tasks of one principal that are kept. One more is an error of the tool that makes it.
	 * @default 100
	 */
	readonly maxPerPrincipal?: number;
	/**
	 * The most tasks whose work runs on this node. One more is an error of the tool that makes it.
	 * @default 1_000
	 */
	readonly maxRunning?: number;
}

/** Work that any node can begin, given what the store keeps of it. */
export type RestartableWork = (args: JsonObject, task: Task) => unknown;

/** How long it takes until what became of a task is written again, while the store is away, in milliseconds. */
const WRITE_AGAIN_MS = 1_000;

/** The tasks whose work runs on this node. */
export class TaskRunner {
	readonly #host: SessionHost;
	readonly #store: TaskStore;
	readonly #options: Required<TaskOptions>;
	readonly #makeServer: () => Promise<SdkServer>;
	readonly #running = new Map<string, RunningTask>();
	/** Work that any node can begin anew, by name. */
	readonly #restartable = new Map<string, RestartableWork>();
	#starting = 0;
	#closed = false;

	/** `makeServer` makes a server as for a request: its tools say what results must be. */
	constructor(host: SessionHost, store: TaskStore, options: TaskOptions, makeServer: () => Promise<SdkServer>) {
		this.#host = host;
		this.#store = store;
		this.#makeServer = makeServer;
		this.#options = limitsOf(options);
		host.bus.onGap(() => {
			for (const id of this.#running.keys()) this.onchange(id);
		});
		store.onorphaned = (id, task) => this.#takeOver(id, task);
	}

	/** Whether some work does not only wait for a client. */
	get busy(): boolean {
		for (const task of this.#running.values()) if (task.works) return true;
		return false;
	}

	/** Names work that this node can begin anew when the node that ran it is gone. Throws where the name is taken. */
	define(name: string, work: RestartableWork): void {
		if (this.#restartable.has(name)) throw new TypeError(`There is work called ${JSON.stringify(name)} already.`);
		this.#restartable.set(name, work);
	}

	/**
	 * Stores a task of `principal` and starts its work. Of what is `kept` with it, `work` names what another node may
	 * begin anew. Resolves with it, and its id, once every node can know of it.
	 */
	async start(
		work: (task: Task) => unknown,
		principal: string | undefined,
		kept: Pick<TaskRecord, 'work' | 'abilities'>,
	): Promise<{ readonly id: string; readonly task: TaskRecord }> {
		const { context, bus } = this.#host;
		const { ttlMs, pollIntervalMs, maxPerPrincipal, maxRunning } = this.#options;
		if (context.closed) throw new SessionManagerError('closed', 'The node is closed.');
		if (this.#running.size + this.#starting >= maxRunning)
			throw new SessionManagerError('limit', `This node runs ${maxRunning} tasks; try again later.`);
		this.#starting++;
		try {
			// Answers and cancellations reach this node from here on.
			await bus.listen();
			const now = context.clock.now();
			const task: TaskRecord = {
				node: context.nodeId,
				status: 'working',
				createdAt: now,
				lastUpdatedAt: now,
				ttlMs,
				pollIntervalMs,
				...kept,
			};
			const id = await this.#store.create(task, principal, maxPerPrincipal);
			this.#begin(id, task, work);
			return { id, task };
		} finally {
			this.#starting--;
		}
	}

	/** A task changed, on whichever node. */
	onchange(id: string): void {
		const task = this.#running.get(id);
		if (task !== undefined) this.#host.context.background(() => task.refresh());
	}

	/** A task was erased, on whichever node. */
	onerased(id: string): void {
		this.#running.get(id)?.abort('The task was erased.');
	}

	/** Stops all work: its tasks have failed, or wait for another node. */
	async close(): Promise<void> {
		this.#closed = true;
		const message = 'The node that ran the task was closed.';
		await Promise.allSettled(
			[...this.#running.values()].map(async (running) => {
				// First, or the work's own end would count.
				const lost = running.change((task) =>
					running.isRestartable ? { ...task, node: '' } : failed(task, ErrorCode.REFUSED, message),
				);
				await lost.finally(() => running.abort(message));
			}),
		);
		this.#running.clear();
	}

	/** Begins the work of a task anew whose node is gone. Returns `false` where this node does not know it. */
	async #takeOver(id: string, { node, work }: TaskRecord): Promise<boolean> {
		const { context, bus } = this.#host;
		const known = work && this.#restartable.get(work.name);
		if (work === undefined || known === undefined) return false;
		// It waits for a node that has room, of those that are asked for it.
		if (this.#closed || this.#running.size + this.#starting >= this.#options.maxRunning) return true;
		this.#starting++;
		try {
			await bus.listen();
			const product = work.tool === undefined ? undefined : await this.#makeServer();
			let begun: TaskRecord | undefined;
			const isTaken = await this.#store.change(id, (task) => {
				begun = isOver(task) || task.node !== node ? undefined : anew(task, context.nodeId);
				return begun;
			});
			if (!isTaken || begun === undefined) return true;
			const run = (task: Task) => known(work.args, task);
			this.#begin(id, begun, product === undefined ? run : checkedWork(run, product, work.tool));
			return true;
		} finally {
			this.#starting--;
		}
	}

	#begin(id: string, task: TaskRecord, work: (task: Task) => unknown): void {
		const { context } = this.#host;
		const running = new RunningTask(id, task, this.#store);
		this.#running.set(id, running);
		context.background(() => this.#run(running, task.createdAt + task.ttlMs - context.clock.now(), work));
	}

	async #run(running: RunningTask, leftMs: number, work: (task: Task) => unknown): Promise<void> {
		const stopTimer = this.#host.context.clock.after(leftMs, () => running.abort('The task expired.'));
		try {
			await this.#finish(running, await outcomeOf(running, work));
		} finally {
			stopTimer();
			if (this.#running.get(running.id) === running) this.#running.delete(running.id);
		}
	}

	/** Stores what became of a task, as soon as the store takes it. */
	async #finish(running: RunningTask, finish: (task: TaskRecord) => TaskRecord): Promise<void> {
		const { context } = this.#host;
		let next = finish;
		while (!context.closed) {
			try {
				await running.change(next);
				return;
			} catch (error) {
				context.report(error);
				const isTheResults = isOfTheResult(error) && next === finish;
				if (isTheResults) next = unkept;
				await new Promise<void>((resolve) => context.clock.after(isTheResults ? 0 : WRITE_AGAIN_MS, resolve));
			}
		}
	}
}

/** Returns the options with their defaults. */
export function limitsOf(options: TaskOptions = {}): Required<TaskOptions> {
	const { ttlMs = 3_600_000, pollIntervalMs = 1_000, maxPerPrincipal = 100, maxRunning = 1_000 } = options;
	return { ttlMs, pollIntervalMs, maxPerPrincipal, maxRunning };
}

/** Runs `work`. Resolves with what turns its task into what became of it. */
async function outcomeOf(task: Task, work: (task: Task) => unknown): Promise<(task: TaskRecord) => TaskRecord> {
	let result: unknown;
	try {
		result = await work(task);
	} catch (error) {
		if (!isProtocolError(error)) result = toolError(error);
		else return (record) => failed(record, error.code, error.message, error.data);
	}
	if (typeof result !== 'object' || result === null || Array.isArray(result))
		return (record) => failed(record, ErrorCode.INTERNAL_ERROR, 'The work of the task returned no result.');
	let sent: JsonObject;
	try {
		// As the client of a call would get it.
		sent = JSON.parse(JSON.stringify(result));
	} catch {
		return unkept;
	}
	return ({ inputRequests: _requests, inputResponses: _responses, ...record }) => ({
		...record,
		status: 'completed',
		result: sent,
	});
}

function unkept(task: TaskRecord): TaskRecord {
	return failed(task, ErrorCode.INTERNAL_ERROR, 'The result cannot be kept.');
}

/** What the SDK makes of an error that a tool throws. */
function toolError(error: unknown): JsonObject {
	return { content: [{ type: 'text', text: error instanceof Error ? error.message : String(error) }], isError: true };
}

/** Whether `error` is one of JSON-RPC, of either SDK, and not the tool's own. */
function isProtocolError(error: unknown): error is Error & { readonly code: number; readonly data?: unknown } {
	return error instanceof Error && 'code' in error && Number.isInteger(error.code) && Number(error.code) < 0;
}

/** Whether the store would take another result. What else it says passes, as far as anybody knows. */
function isOfTheResult(error: unknown): boolean {
	return error instanceof SessionManagerError && error.code === 'limit';
}

/** Returns a task as it is when `node` begins its work anew. */
function anew(task: TaskRecord, node: string): TaskRecord {
	const { inputRequests: _requests, inputResponses: _responses, ...rest } = task;
	return { ...rest, node, status: 'working', starts: startsOf(task) + 1 };
}
