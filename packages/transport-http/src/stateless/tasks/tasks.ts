import { randomBytes } from 'node:crypto';
import type { JsonObject } from '@holdfast/session-manager/custom';
import { lazy } from '@holdfast/session-manager/internal';
import type { SdkServer } from '@holdfast/transport';
import type { Params, SessionHost } from '@holdfast/transport/internal';
import { ErrorCode } from '@holdfast/transport/internal';
import { authInfoOf, type CallContext, callerOf, declaresTasks, StatelessCalls, TASKS } from '../call-context.js';
import { checkedWork } from './checked-work.js';
import { abilitiesOf, CannotAskError, type InputRequest } from './input-abilities.js';
import type { Task } from './running-task.js';
import { SessionTasks } from './session-tasks.js';
import type { TaskNode } from './task-node.js';
import { type TaskRecord, wireTask } from './task-record.js';
import type { TaskOptions, TaskRunner } from './task-runner.js';
import { TaskStore } from './task-store.js';

/** How {@link Tasks.run} treats one call. */
export interface RunTaskOptions {
	/**
	 * Whether a client of 2026-07-28 that cannot be given tasks is refused, instead of waiting for the result.
	 * @default false
	 */
	readonly required?: boolean;
}

/** What the response of a call is, in place of what its handler returned. */
export type TaskOutcome =
	| { readonly result: Params }
	| { readonly error: { readonly code: number; readonly message: string; readonly data: unknown } };

/** The error for a client that does not know the extension. */
export const tasksMissing = {
	code: ErrorCode.MISSING_CLIENT_CAPABILITY,
	message: `The client must declare the extension ${TASKS}.`,
	data: { requiredCapabilities: { extensions: { [TASKS]: {} } } },
};

/**
 * Work that goes on after its call has been answered (2026-07-28, SEP-2663). Any node tells what became of it.
 *
 * @example
 * ```ts source="test/examples/tasks.examples.ts#run"
 * server.registerTool('report', { description: 'Writes a report' }, (context) =>
 * 	transport.tasks.run(context, async (task) => {
 * 		const text = await writeReport(task.signal);
 * 		return { content: [{ type: 'text', text }] };
 * 	}),
 * );
 * ```
 */
export class Tasks {
	/** Marks what {@link run} returned; nobody else can write it. */
	readonly #mark = lazy(() => `task ${randomBytes(18).toString('base64url')} `);
	readonly #runner: TaskRunner | undefined;
	readonly #stateless = new StatelessCalls();
	/** The tasks of sessions (2025-11-25). */
	readonly sessions: SessionTasks;

	/** Without `node`, every call waits for its result. */
	constructor(host: SessionHost, options?: TaskOptions, node?: TaskNode) {
		this.#runner = node?.runner;
		this.sessions = new SessionTasks(host, node?.store ?? new TaskStore(host), options);
	}

	/**
	 * Runs `work` for a tool call. A client of 2026-07-28 that knows tasks gets one at once, and asks any node for the
	 * result. Every other client waits for it: the tool is the same. `context` is the handler's last parameter, and what
	 * is returned must be returned by the handler as it is. Where the work throws, the task is completed with an error of
	 * the tool, or has failed if it was an error of the protocol. Rejects where there are too many tasks.
	 */
	run<Result extends object>(
		context: CallContext,
		work: (task: Task) => Result | PromiseLike<Result>,
		options?: RunTaskOptions,
	): Promise<Result> {
		return this.#run(context, work, options);
	}

	async #run<Result extends object>(
		context: CallContext,
		work: (task: Task) => Result | PromiseLike<Result>,
		{ required = false }: RunTaskOptions = {},
		named?: TaskRecord['work'],
	): Promise<Result> {
		const runner = this.#runner;
		const missing = () => this.#marked({ error: tasksMissing }) as Result;
		// In a session, what the client writes into its `_meta` makes no task.
		const request = this.#stateless.of(context);
		if (runner === undefined || request === undefined || !declaresTasks(context.mcpReq?.envelope)) {
			const isStateless = request !== undefined;
			if (required && runner !== undefined && isStateless) return missing();
			try {
				return await work(inPlace(context, isStateless));
			} catch (error) {
				if (error instanceof CannotAskError && isStateless) return missing();
				throw error;
			}
		}
		const { product, tool, capabilities } = request;
		const { id, task } = await runner.start(checkedWork(work, product, tool), callerOf(authInfoOf(context)), {
			abilities: abilitiesOf(capabilities),
			...(named && { work: { ...named, ...(tool !== undefined && { tool }) } }),
		});
		return this.#marked({ result: { resultType: 'task', ...wireTask(id, task) } }) as Result;
	}

	/**
	 * Names work that may be begun anew, from its start, on another node when the node that ran it is gone. Every node
	 * must name it, once, when it starts. Returns the function that a tool's handler calls in place of {@link run}; its
	 * `args` are stored as JSON. The work must bear to be done twice.
	 *
	 * @example
	 * ```ts source="test/examples/tasks.examples.ts#restartable"
	 * const index = transport.tasks.restartable('index', async ({ folder }: { folder: string }, task) => {
	 * 	const files = await indexFiles(folder, task.signal);
	 * 	return { content: [{ type: 'text' as const, text: `${files} files` }] };
	 * });
	 * // in the function that makes a server:
	 * server.registerTool('index', { inputSchema }, (args, context) => index(context, args));
	 * ```
	 */
	restartable<Args extends object, Result extends object>(
		name: string,
		work: (args: Args, task: Task) => Result | PromiseLike<Result>,
	): (context: CallContext, args: Args, options?: RunTaskOptions) => Promise<Result> {
		this.#runner?.define(name, (args, task) => work(args as Args, task));
		return (context, args, options) => {
			// What every node is given, whichever runs it.
			const stored = JSON.parse(JSON.stringify(args)) as JsonObject;
			return this.#run(context, (task) => work(stored as Args, task), options, { name, args: stored });
		};
	}

	/** Tells that a request without a session goes to the server that was made for it. */
	admit(message: unknown, product: SdkServer): void {
		this.#stateless.add(message, product);
	}

	/** Returns what {@link run} returned as `result`, as the client is told; `undefined` where it did not. */
	outcomeOf({ resultType, requestState }: Params): TaskOutcome | undefined {
		if (resultType !== 'input_required' || typeof requestState !== 'string') return undefined;
		const mark = this.#mark();
		return requestState.startsWith(mark) ? JSON.parse(requestState.slice(mark.length)) : undefined;
	}

	/**
	 * The SDK checks a tool's results, and would take a task for a poor one. What asks the client for something it lets
	 * pass.
	 */
	#marked(outcome: TaskOutcome): object {
		return { resultType: 'input_required', requestState: this.#mark() + JSON.stringify(outcome) };
	}
}

/** What work can use whose client waits for its result. */
function inPlace(context: CallContext, isStateless: boolean): Task {
	const { mcpReq } = context;
	return {
		signal: mcpReq?.signal ?? context.signal ?? new AbortController().signal,
		report: async () => {},
		ask(request: InputRequest) {
			if (mcpReq?.send === undefined || isStateless)
				return Promise.reject(new CannotAskError('This client can be asked nothing during a call.'));
			return mcpReq.send(request);
		},
	};
}
