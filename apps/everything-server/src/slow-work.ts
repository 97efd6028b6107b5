import { setTimeout as delay } from 'node:timers/promises';
import type { Task } from '@holdfast/transport-http';
import { type ComputeArguments, text } from './tool.js';

/** Returns work that takes its time on a node. */
export function slowWorkOf(nodeId: string) {
	return async ({ seconds, label = 'result' }: ComputeArguments, { signal }: Task) => {
		await delay(seconds * 1_000, undefined, { signal });
		return { ...text(`${label} after ${seconds} s`), structuredContent: { nodeId } };
	};
}
