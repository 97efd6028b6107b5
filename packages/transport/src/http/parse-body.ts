import { Buffer, isUtf8 } from 'node:buffer';
import { countJsonValues } from '../protocol/json-bounds.js';
import type { BodyLease } from './body-budget.js';
import { type HttpProblem, problems } from './problems.js';

/** About what a value takes once it is parsed, beside its text, in bytes. */
const BYTES_PER_VALUE = 64;

/** What is called once with the value of a body, or with why it is refused. */
export type BodyDone = (value: unknown, problem: HttpProblem | undefined) => void;

/** Parses a body that has arrived, unless that would take too much time or memory. Calls `done` once. */
export function parseBody(bytes: Buffer, lease: BodyLease, done: BodyDone): void {
	const text = bytes.toString();
	// What is not UTF-8 becomes U+FFFD, which a text may also hold itself.
	if (text.includes('\ufffd') && !isUtf8(bytes)) return done(undefined, problems.parseError);
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

/**
 * Takes a body that somebody else has read: parsed by a framework, which held it to its own limit, or as bytes or text.
 * Calls `done` once.
 */
export function takeBody(body: unknown, length: number, lease: BodyLease, done: BodyDone): void {
	if (typeof body !== 'string' && !ArrayBuffer.isView(body)) return done(body, lease.arrived(length || 0));
	const bytes =
		typeof body === 'string' ? Buffer.from(body) : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
	const problem = lease.take(bytes.byteLength);
	if (problem !== undefined) return done(undefined, problem);
	parseBody(bytes, lease, done);
}
