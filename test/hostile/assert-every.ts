import fc from 'fast-check';

/** How much is thrown, and from which seed: the same seed throws the same. */
export interface Volley {
	readonly seed: number;
	readonly rounds: number;
	/** Cases of one round; they run at the same time. */
	readonly perRound: number;
}

const DEADLINE_MS = 45_000;

/**
 * Checks that `holds` for each case, and that `afterRound` holds after each round. A failure names the seed, and the
 * case alone instead of its whole round: it needs no shrinking.
 */
export async function assertEvery<T>(
	cases: fc.Arbitrary<T>,
	{ seed, rounds, perRound }: Volley,
	holds: (one: T, index: number) => Promise<void>,
	afterRound: () => Promise<void>,
): Promise<void> {
	const round = fc.array(cases, { minLength: perRound, maxLength: perRound });
	const property = fc.asyncProperty(round, async (these) => {
		await Promise.all(
			these.map((one, index) =>
				holds(one, index).catch((cause: Error) => {
					throw new Error(`${cause.message}\nThis came of ${JSON.stringify(one).slice(0, 3_000)}`, { cause });
				}),
			),
		);
		await afterRound();
	});
	await fc.assert(property, {
		seed,
		numRuns: rounds,
		endOnFailure: true,
		interruptAfterTimeLimit: DEADLINE_MS,
		markInterruptAsFailure: true,
		asyncReporter: async ({ failed, interrupted, counterexamplePath, errorInstance }) => {
			if (!failed) return;
			const why = interrupted ? `not done after ${DEADLINE_MS} ms` : `at ${counterexamplePath}`;
			throw new Error(`Seed ${seed}, ${why}. ${errorInstance instanceof Error ? errorInstance.message : ''}`, {
				cause: errorInstance,
			});
		},
	});
}
