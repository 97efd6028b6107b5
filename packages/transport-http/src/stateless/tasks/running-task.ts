import type { JsonObject } from '@holdfast/session-manager/custom';
import { checkAbility, type InputRequest } from './input-abilities.js';
import { isOver, startsOf, type TaskRecord } from './task-record.js';
import type { TaskStore } from './task-store.js';

/** What the work of a task can use. */
export interface Task {
	/** Aborts when the client cancels the task, when it expires or is erased, and when this node closes. */
	readonly signal: AbortSignal;
	/** Tells the client how far the work is. */
	report(statusMessage: string): Promise<void>;
	/**
	 * Asks the client, and resolves with its answer, on whichever node that arrives. The answer comes from outside:
	 * check it. Several questions may be open at once. Rejects where the client's call did not declare the capability to
	 * be asked this; where the work lets that through, the task has failed with -32021.
	 */
	ask(request: InputRequest): Promise<unknown>;
}

/** A task whose work runs on this node. */
export class RunningTask implements Task {
	readonly id: string;
	/** Whether another node can begin it anew. */
	readonly isRestartable: boolean;
	readonly #store: TaskStore;
	/** What the client can be asked; `undefined` where nobody wrote it down. */
	readonly #abilities: readonly string[] | undefined;
	/** The node that runs it, and which time it was begun: another node may have begun it again since. */
	readonly #node: string;
	readonly #start: number;
	readonly #abort = new AbortController();
	/** Questions that are open, by key. */
	readonly #asked = new Map<string, (answer: unknown) => void>();
	#questions = 0;

	constructor(id: string, task: TaskRecord, store: TaskStore) {
		this.id = id;
		this.isRestartable = task.work !== undefined;
		this.#node = task.node;
		this.#start = startsOf(task);
		this.#abilities = task.abilities;
		this.#store = store;
	}

	get signal(): AbortSignal {
		return this.#abort.signal;
	}

	/** Whether the work does something, and not only waits for the client. */
	get works(): boolean {
		return this.#asked.size === 0;
	}

	async report(statusMessage: string): Promise<void> {
		await this.change((task) => ({ ...task, statusMessage }));
	}

	/** Changes the stored task as long as it is not over and this is its work. Returns whether it was changed. */
	change(change: (task: TaskRecord) => TaskRecord | undefined): Promise<boolean> {
		return this.#store.change(this.id, (task) => (isOver(task) || !this.#isMine(task) ? undefined : change(task)));
	}

	async ask({ method, params }: InputRequest): Promise<unknown> {
		this.signal.throwIfAborted();
		if (this.#abilities !== undefined) checkAbility(this.#abilities, { method, params });
		// A key is used once in the life of a task.
		const key = `input-${this.#start === 1 ? '' : `${this.#start}-`}${++this.#questions}`;
		// What JSON does not carry reaches no client either.
		const request = JSON.parse(JSON.stringify({ method, params })) as JsonObject;
		const answered = new Promise<unknown>((resolve, reject) => {
			const aborted = () => reject(this.signal.reason);
			this.signal.addEventListener('abort', aborted, { once: true });
			this.#asked.set(key, (answer) => {
				this.signal.removeEventListener('abort', aborted);
				resolve(answer);
			});
		});
		// The work may be aborted while the question is being stored.
		answered.catch(() => {});
		try {
			if (!(await this.change((task) => asking(task, key, request)))) this.abort('The task is over.');
			return await answered;
		} finally {
			this.#asked.delete(key);
		}
	}

	/** Stops the work. Idempotent. */
	abort(reason: string): void {
		this.#abort.abort(new Error(reason));
	}

	/** Takes in what changed: what the client answered, or that it wants no result any more. */
	async refresh(): Promise<void> {
		const task = await this.#store.read(this.id);
		if (task === undefined || isOver(task)) return this.abort(task?.statusMessage ?? 'The task is over.');
		if (!this.#isMine(task)) return this.abort('Another node has begun the task anew.');
		const { inputResponses = {} } = task;
		for (const [key, answer] of Object.entries(inputResponses)) this.#asked.get(key)?.(answer);
		const keys = Object.keys(inputResponses);
		if (keys.length > 0) await this.change((now) => taken(now, keys));
	}

	#isMine(task: TaskRecord): boolean {
		return task.node === this.#node && startsOf(task) === this.#start;
	}
}

function asking(task: TaskRecord, key: string, request: JsonObject): TaskRecord {
	return { ...task, status: 'input_required', inputRequests: { ...task.inputRequests, [key]: request } };
}

/** Answers that the work has are no longer kept. */
function taken(task: TaskRecord, keys: readonly string[]): TaskRecord | undefined {
	if (task.inputResponses === undefined) return undefined;
	const left = Object.entries(task.inputResponses).filter(([key]) => !keys.includes(key));
	if (left.length === Object.keys(task.inputResponses).length) return undefined;
	return { ...task, inputResponses: Object.fromEntries(left) };
}

/** Returns `task` with the answers to what is still asked; others are ignored. `undefined`: nothing changes. */
export function answered(task: TaskRecord, answers: Readonly<Record<string, unknown>>): TaskRecord | undefined {
	if (isOver(task) || task.inputRequests === undefined) return undefined;
	const given = Object.entries(task.inputRequests).flatMap(([key]) => {
		const answer = Object.hasOwn(answers, key) ? answers[key] : undefined;
		return typeof answer === 'object' && answer !== null ? [[key, answer as JsonObject] as const] : [];
	});
	if (given.length === 0) return undefined;
	const keys = new Set(given.map(([key]) => key));
	const left = Object.entries(task.inputRequests).filter(([key]) => !keys.has(key));
	return {
		...task,
		status: left.length > 0 ? 'input_required' : 'working',
		inputRequests: Object.fromEntries(left),
		inputResponses: { ...task.inputResponses, ...Object.fromEntries(given) },
	};
}
