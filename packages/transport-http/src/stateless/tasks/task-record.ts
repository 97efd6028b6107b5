import type { Json, JsonObject } from '@holdfast/session-manager/custom';
import type { Params } from '@holdfast/transport/internal';
import * as v from 'valibot';

const object = v.custom<JsonObject>((value) => typeof value === 'object' && value !== null && !Array.isArray(value));
const objects = v.record(v.string(), object);

const schema = v.object({
	/** The node that runs it; empty where any node may begin its work anew. */
	node: v.string(),
	/** The session of 2025-11-25 that it belongs to; absent: it is one of 2026-07-28. */
	session: v.optional(v.string()),
	/** The work that another node may begin anew, by its name, and what it is given. */
	work: v.optional(
		v.object({
			name: v.string(),
			args: object,
			/** The tool whose result it makes. */
			tool: v.optional(v.string()),
		}),
	),
	/** What the client that made it can be asked. */
	abilities: v.optional(v.array(v.string())),
	/** How often its work was begun; absent: once. */
	starts: v.optional(v.number()),
	status: v.picklist(['working', 'input_required', 'completed', 'failed', 'cancelled']),
	statusMessage: v.optional(v.string()),
	/** In milliseconds since the Unix epoch. */
	createdAt: v.number(),
	lastUpdatedAt: v.number(),
	ttlMs: v.number(),
	pollIntervalMs: v.number(),
	/** What the client is still to answer, by key. */
	inputRequests: v.optional(objects),
	/** What it answered and the node that runs the task has not taken yet. */
	inputResponses: v.optional(objects),
	result: v.optional(object),
	error: v.optional(object),
});

/** A task, as the store keeps it. */
export type TaskRecord = v.InferOutput<typeof schema>;

/** Reads a stored task. Throws for anything else. */
export function readTask(value: unknown): TaskRecord {
	return v.parse(schema, value);
}

/** Returns a task as it is stored. */
export function storedTask(task: TaskRecord): Json {
	return task as Json;
}

/** Returns how often the work of a task was begun. */
export function startsOf({ starts = 1 }: TaskRecord): number {
	return starts;
}

/** Returns whether nothing of a task can change any more. */
export function isOver({ status }: TaskRecord): boolean {
	return status !== 'working' && status !== 'input_required';
}

/** Returns a task as it is told when it is made (SEP-2663, `Task`). */
export function wireTask(taskId: string, task: TaskRecord): Params {
	const { status, statusMessage, createdAt, lastUpdatedAt, ttlMs, pollIntervalMs } = task;
	return {
		taskId,
		status,
		...(statusMessage !== undefined && { statusMessage }),
		createdAt: new Date(createdAt).toISOString(),
		lastUpdatedAt: new Date(lastUpdatedAt).toISOString(),
		ttlMs,
		pollIntervalMs,
	};
}

/** Returns a task with what became of it, or what it waits for (SEP-2663, `DetailedTask`). */
export function detailedTask(taskId: string, task: TaskRecord): Params {
	const { status, inputRequests, result, error } = task;
	return {
		...wireTask(taskId, task),
		...(status === 'input_required' && { inputRequests: inputRequests ?? {} }),
		...(status === 'completed' && { result }),
		...(status === 'failed' && { error }),
	};
}
