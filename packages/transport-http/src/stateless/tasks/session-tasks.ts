import { SessionManagerError } from '@holdfast/session-manager';
import type { JsonObject } from '@holdfast/session-manager/custom';
import type { SessionHost } from '@holdfast/transport/internal';
import { isOver, type TaskRecord } from './task-record.js';
import { limitsOf, type TaskOptions } from './task-runner.js';
import type { TaskStore } from './task-store.js';

/** A task of 2025-11-25, as clients are told of it. */
export interface SessionTask {
	taskId: string;
	status: TaskRecord['status'];
	statusMessage?: string;
	ttl: number;
	createdAt: string;
	lastUpdatedAt: string;
	pollInterval: number;
}

/**
 * The tasks of sessions (2025-11-25, experimental), on any node: the `taskStore` of a server of SDK v1. A task belongs
 * to the session that made it. It is kept for the time that the client wants, and no longer than `ttlMs` of the options
 * for tasks. Where the node that made it is gone before it is over, it has failed. Ask the client without
 * `relatedTask`: the SDK's `taskMessageQueue` would keep the question on one node.
 *
 * @example
 * ```ts source="test/examples/tasks.examples.ts#sessions"
 * const capabilities = { tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } } };
 * const server = new SessionServer(
 * 	{ name: 'reports', version: '1' },
 * 	{ taskStore: transport.tasks.sessions, capabilities },
 * );
 * ```
 */
export class SessionTasks {
	readonly #host: SessionHost;
	readonly #store: TaskStore;
	readonly #limits: ReturnType<typeof limitsOf>;

	/** Only transports make one. */
	constructor(host: SessionHost, store: TaskStore, options: TaskOptions | undefined) {
		this.#host = host;
		this.#store = store;
		this.#limits = limitsOf(options);
	}

	/** Stores a new task of a session. Rejects with `principal-limit` where its owner has too many. */
	async createTask(
		{ ttl, pollInterval }: { readonly ttl?: number | null; readonly pollInterval?: number },
		_requestId: unknown,
		_request: unknown,
		sessionId?: string,
	): Promise<SessionTask> {
		const { context } = this.#host;
		const session = required(sessionId);
		const { ttlMs, pollIntervalMs, maxPerPrincipal } = this.#limits;
		const now = context.clock.now();
		const task: TaskRecord = {
			node: context.nodeId,
			session,
			status: 'working',
			createdAt: now,
			lastUpdatedAt: now,
			ttlMs: Math.min(ttl ?? ttlMs, ttlMs),
			pollIntervalMs: pollInterval ?? pollIntervalMs,
		};
		const id = await this.#store.create(task, await this.#ownerOf(session), maxPerPrincipal);
		return told(id, task);
	}

	/** Returns a task of the session; `null` where there is none. */
	async getTask(taskId: string, sessionId?: string): Promise<SessionTask | null> {
		const task = await this.#find(taskId, sessionId);
		return task === undefined ? null : told(taskId, task);
	}

	/** Stores what became of a task. Rejects where it is over, or there is none. */
	async storeTaskResult(
		taskId: string,
		status: 'completed' | 'failed',
		result: object,
		sessionId?: string,
	): Promise<void> {
		await this.#change(taskId, sessionId, (task) => ({ ...task, status, result: result as JsonObject }));
	}

	/** Returns what became of a task. Rejects where it has no result. */
	// biome-ignore lint/suspicious/noExplicitAny: the SDK's type of a result, which this package does not import.
	async getTaskResult(taskId: string, sessionId?: string): Promise<any> {
		const task = await this.#find(taskId, sessionId);
		if (task?.result !== undefined) return task.result;
		const { code = undefined, message = undefined } = task?.error ?? {};
		throw Object.assign(new Error(String(message ?? 'The task has no result.')), code !== undefined && { code });
	}

	/** Changes what a task does. Rejects where it is over, or there is none. */
	async updateTaskStatus(
		taskId: string,
		status: TaskRecord['status'],
		statusMessage?: string,
		sessionId?: string,
	): Promise<void> {
		await this.#change(taskId, sessionId, (task) => ({ ...task, status, ...(statusMessage && { statusMessage }) }));
	}

	/** Returns the tasks of the session, oldest first, on one page. */
	async listTasks(_cursor?: string, sessionId?: string): Promise<{ tasks: SessionTask[] }> {
		const session = required(sessionId);
		const ids = await this.#store.list(await this.#ownerOf(session));
		const found = await Promise.all(
			ids.map(async (id) => {
				const task = await this.#find(id, session);
				return task === undefined ? [] : [{ id, task }];
			}),
		);
		const tasks = found.flat().sort((one, other) => one.task.createdAt - other.task.createdAt);
		return { tasks: tasks.map(({ id, task }) => told(id, task)) };
	}

	async #change(id: string, sessionId: string | undefined, change: (task: TaskRecord) => TaskRecord): Promise<void> {
		const isThere = (await this.#find(id, sessionId)) !== undefined;
		const isChanged = isThere && (await this.#store.change(id, (task) => (isOver(task) ? undefined : change(task))));
		if (!isChanged) throw new Error('The task is over, or there is no such task.');
	}

	async #find(id: string, sessionId: string | undefined): Promise<TaskRecord | undefined> {
		if (!this.#store.isId(id)) return undefined;
		const task = await this.#store.read(id);
		return task?.session === required(sessionId) ? task : undefined;
	}

	/** Returns whose the tasks of a session are: an anonymous one has an owner of its own. */
	async #ownerOf(sessionId: string): Promise<string> {
		const { sessions, context } = this.#host;
		const record = sessions.get(sessionId)?.record ?? (await context.info.read(sessionId));
		if (record === undefined) throw new SessionManagerError('no-such-session', 'The session has ended.');
		return record.principal ?? `session ${sessionId}`;
	}
}

function told(taskId: string, { status, statusMessage, ttlMs, createdAt, ...task }: TaskRecord): SessionTask {
	return {
		taskId,
		status,
		...(statusMessage !== undefined && { statusMessage }),
		ttl: ttlMs,
		createdAt: new Date(createdAt).toISOString(),
		lastUpdatedAt: new Date(task.lastUpdatedAt).toISOString(),
		pollInterval: task.pollIntervalMs,
	};
}

function required(sessionId: string | undefined): string {
	if (sessionId !== undefined) return sessionId;
	throw new TypeError('Only in a session there are tasks of 2025-11-25.');
}
