import type { AuthInfo, SdkServer } from '@holdfast/transport';
import type { SessionHost } from '@holdfast/transport/internal';
import { callerOf } from '../call-context.js';
import type { ListenStreams } from '../listen-streams.js';
import { detailedTask, isOver, type TaskRecord } from './task-record.js';
import { type TaskOptions, TaskRunner } from './task-runner.js';
import { TaskStore } from './task-store.js';

/** What one node does for tasks: it runs some, hears of changes of all, and tells the listen streams that it holds. */
export class TaskNode {
	readonly store: TaskStore;
	readonly runner: TaskRunner;
	readonly #host: SessionHost;
	readonly #listening: ListenStreams;
	/** What stops to wait for the end of the node that runs a task, by task. */
	readonly #watches = new Map<string, () => void>();

	constructor(host: SessionHost, options: TaskOptions, listening: ListenStreams, makeServer: () => Promise<SdkServer>) {
		this.#host = host;
		this.#listening = listening;
		this.store = new TaskStore(host);
		this.runner = new TaskRunner(host, this.store, options, makeServer);
		this.store.onchange = (id) => this.#changed(id);
		host.bus.on('record-changed', ({ recordId }) => {
			const id = this.store.idOf(recordId);
			if (id !== undefined) this.#changed(id);
		});
		host.lifecycle.onended = (storedId) => {
			const id = this.store.idOf(storedId);
			if (id !== undefined) this.runner.onerased(id);
		};
		listening.onheard = (ids) => {
			for (const id of ids) this.#tell(id);
		};
		listening.onunheard = (id) => this.#unwatch(id);
	}

	/** Returns which of `taskIds` the sender of a request may hear of; `undefined` for none. */
	async known(
		taskIds: readonly string[] | undefined,
		authInfo: AuthInfo | undefined,
	): Promise<readonly string[] | undefined> {
		if (taskIds === undefined) return undefined;
		await this.#host.bus.listen();
		const caller = callerOf(authInfo);
		const found = await Promise.all(
			taskIds.map(async (id) => ((await this.store.readOf(id, caller)) === undefined ? [] : [id])),
		);
		const known = found.flat();
		return known.length === 0 ? undefined : known;
	}

	#changed(id: string): void {
		this.runner.onchange(id);
		if (this.#listening.hears(id)) this.#tell(id);
	}

	/** Tells the streams here what a task is now, and once more when the node that runs it is gone. */
	#tell(id: string): void {
		this.#host.context.background(async () => {
			const task = await this.store.read(id);
			if (task === undefined || !this.#listening.hears(id)) return this.#unwatch(id);
			this.#listening.tellTask(id, { jsonrpc: '2.0', method: 'notifications/tasks', params: detailedTask(id, task) });
			this.#follow(id, task);
		});
	}

	#follow(id: string, task: TaskRecord): void {
		if (isOver(task)) this.#unwatch(id);
		else if (task.node !== this.#host.context.nodeId && !this.#watches.has(id))
			this.#watches.set(
				id,
				this.#host.monitor.watch(task.node, () => this.#gone(id)),
			);
	}

	/** Reading the task fails it, or begins it anew, and tells everybody. */
	#gone(id: string): void {
		this.#watches.delete(id);
		this.#host.context.background(async () => {
			const task = await this.store.read(id);
			if (task !== undefined && this.#listening.hears(id)) this.#follow(id, task);
		});
	}

	#unwatch(id: string): void {
		this.#watches.get(id)?.();
		this.#watches.delete(id);
	}
}
