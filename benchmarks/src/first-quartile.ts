/** Returns the value below which a quarter of the values are. What else the machine does can only add to a cost. */
export function firstQuartile(values: readonly number[]): number {
	const sorted = values.toSorted((a, b) => a - b);
	return sorted[Math.floor(sorted.length / 4)] ?? Number.NaN;
}
