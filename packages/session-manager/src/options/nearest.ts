/** Returns the name that `name` was probably meant to be; `undefined` where none is near. */
export function nearest(name: string, known: readonly string[]): string | undefined {
	const wanted = name.toLowerCase();
	const near = known
		.map((candidate) => ({ candidate, distance: distanceOf(wanted, candidate.toLowerCase()) }))
		.filter(({ candidate, distance }) => distance <= Math.max(name.length, candidate.length) * 0.4)
		.sort((one, other) => one.distance - other.distance);
	return near[0]?.candidate;
}

/** Returns how many characters must be added, removed or replaced to make `a` of `b` (Levenshtein). */
function distanceOf(a: string, b: string): number {
	let row = Array.from({ length: b.length + 1 }, (_, index) => index);
	for (const [i, char] of [...a].entries()) {
		const next = [i + 1];
		for (let j = 0; j < b.length; j++) {
			const replaced = (row[j] ?? 0) + (char === b[j] ? 0 : 1);
			next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
		}
		row = next;
	}
	return row[b.length] ?? 0;
}
