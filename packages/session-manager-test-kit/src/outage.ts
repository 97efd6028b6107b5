import assert from 'node:assert/strict';
import type { MaybePromise, SessionManagerError } from '@holdfast/session-manager';

/** How long a manager may take to notice that its backend is unavailable, or available again, in milliseconds. */
const DEADLINE_MS = 10_000;

/** Asserts that each of `calls`, made concurrently, rejects with `unavailable`. */
export async function assertUnavailable(calls: readonly (() => unknown)[]): Promise<void> {
	const late = new Promise<never>((_, reject) => {
		const error = new assert.AssertionError({ message: `A call did not reject within ${DEADLINE_MS} ms.` });
		setTimeout(reject, DEADLINE_MS, error).unref();
	});
	late.catch(() => {});
	await Promise.all(
		calls.map((call) => assert.rejects(Promise.race([late, (async () => call())()]), { code: 'unavailable' })),
	);
}

/** Repeats `work` while it fails with `unavailable`, and returns its result. */
export async function whenAvailable<T>(work: () => MaybePromise<T>): Promise<T> {
	for (const end = performance.now() + DEADLINE_MS; ; ) {
		try {
			return await work();
		} catch (error) {
			if ((error as SessionManagerError).code !== 'unavailable' || performance.now() > end) throw error;
		}
		await new Promise((resolve) => setTimeout(resolve, 20));
	}
}
