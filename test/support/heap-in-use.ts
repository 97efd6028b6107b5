import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose_gc');

/** Collects all garbage. */
export const collectGarbage = runInNewContext('gc') as () => void;

/** Bytes of the heap, and of buffers outside it, that are still reachable. */
export async function heapInUse(): Promise<number> {
	// What ended within this turn is only let go by the next.
	for (let round = 0; round < 3; round++) {
		await new Promise((resolve) => setImmediate(resolve));
		collectGarbage();
	}
	const { heapUsed, arrayBuffers } = process.memoryUsage();
	return heapUsed + arrayBuffers;
}
