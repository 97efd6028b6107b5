/** Does `work` for 0, 1, … below `count`, with so many in flight at once. Rejects when one of them does. */
export async function inParallel(
	count: number,
	inFlight: number,
	work: (index: number) => Promise<unknown>,
): Promise<void> {
	let next = 0;
	const worker = async () => {
		while (next < count) await work(next++);
	};
	await Promise.all(Array.from({ length: Math.min(inFlight, count) }, worker));
}
