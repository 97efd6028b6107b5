/** What the exit code says. */
export const exitCodes = Object.freeze({ fine: 0, findings: 1, usage: 2, unreachable: 3 });

/** The command line or the configuration cannot work; the message says in one line what to write instead. */
export class UsageError extends Error {
	override readonly name = 'UsageError';
}

/** The store or the endpoint could not be reached. */
export class UnreachableError extends Error {
	override readonly name = 'UnreachableError';
}
