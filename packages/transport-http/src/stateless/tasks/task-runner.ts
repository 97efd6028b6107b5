import { SessionManagerError } from '@holdfast/session-manager';
import type { JsonObject } from '@holdfast/session-manager/custom';
import { ErrorCode, type SessionHost } from '@holdfast/transport/internal';
import { RunningTask, type Task } from './running-task.js';
import { isOver, type TaskRecord } from './task-record.js';
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

/** How long it takes until what became of a task is written again, while the store is away, in milliseconds. */
const WRITE_AGAIN_MS = 1_000;

/** The tasks whose work runs on this node. */
export class TaskRunner {
	readonly #host: SessionHost;
	readonly #store: TaskStore;
	readonly #options: Required<TaskOptions>;
	readonly #running = new Map<string, RunningTask>();
	#starting = 0;

	constructor(host: SessionHost, store: TaskStore, options: TaskOptions) {
		this.#host = host;
		this.#store = store;
		const { ttlMs = 3_600_000, pollIntervalMs = 1_000, maxPerPrincipal = 100, maxRunning = 1_000 } = options;
		this.#options = { ttlMs, pollIntervalMs, maxPerPrincipal, maxRunning };
		host.bus.onGap(() => {
			for (const id of this.#running.keys()) this.onchange(id);
		});
	}

	/** Whether some work does not only wait for a client. */
	get busy(): boolean {
		for (const task of this.#running.values()) if (task.works) return true;
		return false;
	}

	/** Stores a task of `principal` and starts its work. Resolves with it, and its id, once every node can know of it. */
	async start(
		work: (task: Task) => unknown,
		principal: string | undefined,
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
			};
			const id = await this.#store.create(task, principal, maxPerPrincipal);
			const running = new RunningTask(id, this.#store);
			this.#running.set(id, running);
			context.background(() => this.#run(running, work));
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

	/** Stops all work: its tasks have failed. */
	async close(): Promise<void> {
		const message = 'The node that ran the task was closed.';
		await Promise.allSettled(
			[...this.#running.values()].map(async (running) => {
				// First, or the work's own end would count.
				const lost = this.#store.change(running.id, (task) =>
					unlessOver(task, failed(task, ErrorCode.REFUSED, message)),
				);
				await lost.finally(() => running.abort(message));
			}),
		);
		this.#running.clear();
	}

	async #run(running: RunningTask, work: (task: Task) => unknown): Promise<void> {
		const stopTimer = this.#host.context.clock.after(this.#options.ttlMs, () => running.abort('The task expired.'));
		try {
			await this.#finish(running, await outcomeOf(running, work));
		} finally {
			stopTimer();
			this.#running.delete(running.id);
		}
	}

	/** Stores what became of a task; where the store is away, once it is back. */
	async #finish(running: RunningTask, finish: (task: TaskRecord) => TaskRecord): Promise<void> {
		const { context } = this.#host;
		let next = finish;
		while (!context.closed) {
			try {
				await this.#store.change(running.id, (task) => unlessOver(task, next(task)));
				return;
			} catch (error) {
				context.report(error);
				// A result that cannot be stored.
				if (!isAway(error)) next = (task) => failed(task, ErrorCode.INTERNAL_ERROR, 'The result cannot be kept.');
				await new Promise<void>((resolve) => context.clock.after(isAway(error) ? WRITE_AGAIN_MS : 0, resolve));
			}
		}
	}
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
	return ({ inputRequests: _requests, inputResponses: _responses, ...record }) => ({
		...record,
		status: 'completed',
		result: result as JsonObject,
	});
}

/** What the SDK makes of an error that a tool throws. */
function toolError(error: unknown): JsonObject {
	return { content: [{ type: 'text', text: error instanceof Error ? error.message : String(error) }], isError: true };
}

/** Whether `error` is one of JSON-RPC, of either SDK, and not the tool's own. */
function isProtocolError(error: unknown): error is Error & { readonly code: number; readonly data?: unknown } {
	return error instanceof Error && 'code' in error && Number.isInteger(error.code) && Number(error.code) < 0;
}

function isAway(error: unknown): boolean {
	return error instanceof SessionManagerError && error.code === 'unavailable';
}

function unlessOver(task: TaskRecord, next: TaskRecord): TaskRecord | undefined {
	return isOver(task) ? undefined : next;
}
