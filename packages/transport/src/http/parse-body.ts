import { countJsonValues } from '../protocol/json-bounds.js';
import type { BodyLease } from './body-budget.js';
import { type HttpProblem, problems } from './problems.js';

/** About what a value takes once it is parsed, beside its text, in bytes. */
const BYTES_PER_VALUE = 64;

/** Parses a body that has arrived, unless that would take too much time or memory. Calls `done` once. */
export function parseBody(
	text: string,
	lease: BodyLease,
	done: (value: unknown, problem: HttpProblem | undefined) => void,
): void {
	const values = countJsonValues(text);
	if (values === undefined) return done(undefined, problems.tooComplex);
	const problem = lease.arrived(values * BYTES_PER_VALUE);
	if (problem !== undefined) return done(undefined, problem);
	let value: unknown;
	try {
		// A byte order mark is skipped, as fetch's own `text()` does.
		value = JSON.parse(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text);
	} catch {
		return done(undefined, problems.parseError);
	}
	done(value, undefined);
}
