import type { AuthInfo } from '@holdfast/transport';
import { ErrorCode, type JsonRpcRequest, type Params, problemOf } from '@holdfast/transport/internal';
import { callerOf, declaresTasks } from '../call-context.js';
import type { StatelessCall } from '../stateless-call.js';
import { answered } from './running-task.js';
import { detailedTask, isOver } from './task-record.js';
import type { TaskStore } from './task-store.js';
import { tasksMissing } from './tasks.js';

/** The requests about tasks (SEP-2663), served on any node. */
const METHODS: ReadonlySet<unknown> = new Set(['tasks/get', 'tasks/update', 'tasks/cancel']);

/** Returns whether a message is about a task. */
export function isTaskRequest({ method }: { readonly method?: unknown }): boolean {
	return METHODS.has(method);
}

/** Serves a request about a task that the SDK's entry has checked. `meta` is of every result. */
export async function serveTaskRequest(
	store: TaskStore,
	call: StatelessCall,
	{ id, method, params = {} }: JsonRpcRequest,
	authInfo: AuthInfo | undefined,
	meta: Params,
): Promise<void> {
	const fail = (error: { readonly code: number; readonly message: string; readonly data?: unknown }) =>
		call.respond({ jsonrpc: '2.0', id, error });
	const refuse = (message: string) => fail({ code: ErrorCode.INVALID_PARAMS, message: `Invalid params: ${message}` });
	if (!declaresTasks(params['_meta'])) return fail(tasksMissing);
	const { taskId, inputResponses } = params;
	if (typeof taskId !== 'string') return refuse('taskId must be a string.');
	if (method === 'tasks/update' && !isObject(inputResponses)) return refuse('inputResponses must be an object.');
	try {
		const task = await store.readOf(taskId, callerOf(authInfo));
		// Which tasks of others there are is nobody's business.
		if (task === undefined) return refuse('there is no such task, or it has expired.');
		if (method === 'tasks/cancel') await store.change(taskId, (now) => (isOver(now) ? undefined : cancelled(now)));
		if (method === 'tasks/update' && isObject(inputResponses))
			await store.change(taskId, (now) => answered(now, inputResponses));
		const told = method === 'tasks/get' ? detailedTask(taskId, task) : {};
		call.respond({ jsonrpc: '2.0', id, result: { resultType: 'complete', ...told, _meta: meta } });
	} catch (error) {
		call.report(error);
		call.reject(problemOf(error), id);
	}
}

function cancelled<T extends object>(task: T) {
	return { ...task, status: 'cancelled' as const, inputRequests: undefined, inputResponses: undefined };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}
