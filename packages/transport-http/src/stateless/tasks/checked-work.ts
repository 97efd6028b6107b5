import type { SdkServer } from '@holdfast/transport';
import { checkResult } from '../tool-schemas.js';
import type { Task } from './running-task.js';

/** Returns work that fails where a call that waited for its result would have got an error in its place. */
export function checkedWork<Result>(
	work: (task: Task) => Result | PromiseLike<Result>,
	product: SdkServer,
	tool: string | undefined,
): (task: Task) => Promise<Result> {
	return async (task) => {
		const result = await work(task);
		await checkResult(product, tool, result);
		return result;
	};
}
