/** Polls `probe` until it returns `true`; throws after `deadlineMs`. */
export async function until(
	what: string,
	probe: () => boolean | PromiseLike<boolean>,
	deadlineMs = 5_000,
): Promise<void> {
	for (const end = performance.now() + deadlineMs; !(await probe()); ) {
		if (performance.now() > end) throw new Error(`Waited ${deadlineMs} ms for: ${what}.`);
		await new Promise((resolve) => setTimeout(resolve, 5));
	}
}
