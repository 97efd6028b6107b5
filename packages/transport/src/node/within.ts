import type { Clock } from '@holdfast/session-manager/custom';

/** Resolves once `work` is over, or after `ms` milliseconds. Rejects as `work` does. */
export async function within(clock: Clock, ms: number, work: Promise<unknown>): Promise<void> {
	let stop = () => {};
	const late = new Promise<void>((resolve) => {
		stop = clock.after(ms, resolve);
	});
	try {
		await Promise.race([work, late]);
	} finally {
		stop();
	}
}
