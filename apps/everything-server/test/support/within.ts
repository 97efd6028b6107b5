const DEADLINE_MS = 10_000;

/** What `promise` resolves to; rejects, naming what was waited for, when that takes too long. */
export async function within<T>(what: string, promise: Promise<T>): Promise<T> {
	let overdue: NodeJS.Timeout | undefined;
	const late = new Promise<never>((_resolve, reject) => {
		overdue = setTimeout(() => reject(new Error(`Waited ${DEADLINE_MS} ms for ${what}.`)), DEADLINE_MS);
	});
	try {
		return await Promise.race([promise, late]);
	} finally {
		clearTimeout(overdue);
	}
}
