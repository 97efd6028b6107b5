/** Pseudorandom choices that are the same in every run. */
export interface SeededRandom {
	/** Returns one of `choices`, of which there must be at least one. */
	of<T>(choices: readonly T[]): T;
}

/** Returns choices that `seed` determines (mulberry32). */
export function seededRandom(seed: number): SeededRandom {
	let state = seed;
	return {
		of<T>(choices: readonly T[]): T {
			state = (state + 0x6d2b79f5) | 0;
			let mixed = Math.imul(state ^ (state >>> 15), state | 1);
			mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
			const index = ((mixed ^ (mixed >>> 14)) >>> 0) % choices.length;
			return choices[index] as T;
		},
	};
}
