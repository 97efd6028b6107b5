/**
 * Answers what `probe` answers once that is neither `undefined` nor `false`, and asks until then. A probe that throws
 * is asked again. Throws, with the last failure as its cause, when `deadlineMs` have passed.
 */
export async function until<T>(
	what: string,
	probe: () => T | PromiseLike<T>,
	deadlineMs = 10_000,
): Promise<Exclude<T, undefined | false>> {
	const end = performance.now() + deadlineMs;
	for (;;) {
		let cause: unknown;
		try {
			const answer = await probe();
			if (answer !== undefined && answer !== false) return answer as Exclude<T, undefined | false>;
		} catch (error) {
			cause = error;
		}
		if (performance.now() > end) throw new Error(`Not within ${deadlineMs} ms: ${what}.`, { cause });
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
}
