import type { SessionManagerError } from '@holdfast/session-manager';

/** Returns the result of `work`, or the code of the error that it throws. */
export async function codeOf(work: () => unknown): Promise<unknown> {
	try {
		return await work();
	} catch (error) {
		return (error as SessionManagerError).code;
	}
}
