import { SessionManagerError } from '@holdfast/session-manager';
import { decodeStateValue, encodeStateValue } from '@holdfast/session-manager/internal';
import { ErrorCode, OwnedRecords, randomId, type SessionHost } from '@holdfast/transport/internal';
import { isOver, readTask, storedTask, type TaskRecord } from './task-record.js';

const KEY = 'task';
/** How often a change is tried while others change the same task. */
const MAX_ATTEMPTS = 100;
/** What the ids of tasks look like. */
const TASK_ID = /^[\w-]{32}$/;

/** Tasks as the store keeps them, for every node. */
export class TaskStore {
	/** Called when a task was changed from here; other nodes are told. */
	onchange: ((id: string) => void) | undefined;
	/** Called with a task whose node is gone. Returns whether its work goes on, here or on another node. */
	onorphaned: ((id: string, task: TaskRecord) => Promise<boolean>) | undefined;
	readonly #host: SessionHost;
	readonly #records: OwnedRecords;

	constructor(host: SessionHost) {
		this.#host = host;
		this.#records = new OwnedRecords(host.context, 'task');
	}

	/** Returns the id that a client knows; `undefined` where `storedId` is of no task. */
	idOf(storedId: string): string | undefined {
		return this.#records.idOf(storedId);
	}

	/**
	 * Stores a task and returns its id. Throws `SessionManagerError` `principal-limit` where there are too many. One that
	 * is not stored whole does not count.
	 */
	async create(task: TaskRecord, principal: string | undefined, perPrincipal: number): Promise<string> {
		const id = randomId();
		const value = encodeStateValue(storedTask(task));
		await this.#records.create(id, principal, { endsAt: task.createdAt + task.ttlMs }, perPrincipal);
		const { context } = this.#host;
		const storedId = this.#records.storedId(id);
		try {
			if (await context.info.writeState(storedId, KEY, undefined, value)) return id;
		} catch (error) {
			context.background(() => context.info.delete(storedId));
			throw error;
		}
		throw new SessionManagerError('conflict', 'The task was erased while it was created.');
	}

	/**
	 * Returns a task; `undefined` where there is none. A task whose node is gone is begun anew, or has failed.
	 */
	async read(id: string): Promise<TaskRecord | undefined> {
		const task = (await this.#stored(id))?.task;
		if (task === undefined || isOver(task) || !(await this.#isGone(task.node))) return task;
		if (!(await this.onorphaned?.(id, task))) await this.#lose(id, task.node);
		return (await this.#stored(id))?.task;
	}

	/** The same, of a task of `principal`; `undefined` where it is another's. */
	async readOf(id: string, principal: string | undefined): Promise<TaskRecord | undefined> {
		if (!this.isId(id)) return undefined;
		const [record, task] = await Promise.all([this.#records.find(id, principal), this.read(id)]);
		return record !== undefined && task?.session === undefined ? task : undefined;
	}

	/** Returns whether `id` can be the id of a task. */
	isId(id: string): boolean {
		return TASK_ID.test(id);
	}

	/** Returns the ids of the tasks of `principal`, in no particular order. */
	list(principal: string): Promise<string[]> {
		return this.#records.list(principal);
	}

	/**
	 * Replaces a task with what `change` makes of it, so that no concurrent change is lost, and tells every node.
	 * `undefined` leaves it as it is. Returns whether it was changed.
	 */
	async change(id: string, change: (task: TaskRecord) => TaskRecord | undefined): Promise<boolean> {
		const { info, clock } = this.#host.context;
		const storedId = this.#records.storedId(id);
		for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
			const stored = await this.#stored(id);
			const next = stored && change(stored.task);
			if (stored === undefined || next === undefined) return false;
			const value = encodeStateValue(storedTask({ ...next, lastUpdatedAt: clock.now() }));
			if (await info.writeState(storedId, KEY, stored.version, value)) {
				this.onchange?.(id);
				this.#host.context.background(() => this.#host.bus.tellAll({ type: 'record-changed', recordId: storedId }));
				return true;
			}
		}
		throw new SessionManagerError('conflict', `Others changed a task ${MAX_ATTEMPTS} times during one change.`);
	}

	async #stored(id: string): Promise<{ readonly task: TaskRecord; readonly version: string } | undefined> {
		const stored = await this.#host.context.info.readState(this.#records.storedId(id), KEY);
		return stored && { task: readTask(decodeStateValue(stored.value)), version: stored.version };
	}

	#isGone(node: string): boolean | Promise<boolean> {
		const { context, monitor } = this.#host;
		if (node === '') return true;
		if (node === context.nodeId || monitor.isHeard(node)) return false;
		return Promise.resolve(monitor.isGone(node));
	}

	async #lose(id: string, node: string): Promise<void> {
		const message = 'The node that ran the task is gone.';
		await this.change(id, (task) =>
			isOver(task) || task.node !== node ? undefined : failed(task, ErrorCode.INTERNAL_ERROR, message),
		);
	}
}

/** Returns `task` as failed. */
export function failed(task: TaskRecord, code: number, message: string, data?: unknown): TaskRecord {
	const { inputRequests: _requests, inputResponses: _responses, ...rest } = task;
	const error = JSON.parse(JSON.stringify({ code, message, data }));
	return { ...rest, status: 'failed', error };
}
