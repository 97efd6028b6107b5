import { knowInEveryCopy } from './in-every-copy.js';

/** A stable code that programs can compare. */
export type SessionManagerErrorCode =
	/** The store cannot be reached; a later attempt may succeed. */
	| 'unavailable'
	/** The store returned data that cannot be understood. */
	| 'corrupt'
	/** The session does not exist: it was never created, has expired or was terminated. */
	| 'no-such-session'
	/** A limit was reached; the message names it. */
	| 'limit'
	/** The principal already has as many sessions as it may have. */
	| 'principal-limit'
	/** The client did not read what was sent, and its stream was closed when its buffer was full. */
	| 'slow-client'
	/** A state key is empty, reserved or not well-formed Unicode. */
	| 'invalid-key'
	/** A value does not match the schema of its state key. */
	| 'invalid-value'
	/** A compare-and-set lost to other writers too many times. */
	| 'conflict'
	/** The manager is closed. */
	| 'closed';

/**
 * An expected failure of a manager. Its `code` is stable, and its message says what to do. `instanceof` knows those of
 * another copy of this package, too: a manager and a transport may have one each.
 *
 * @example
 * ```ts source="../../test/examples/session-manager-error.examples.ts#code"
 * try {
 * 	return `Call ${await state.increment('calls')}`;
 * } catch (error) {
 * 	if (error instanceof SessionManagerError && error.code === 'unavailable') return 'Please try again later.';
 * 	throw error;
 * }
 * ```
 */
export class SessionManagerError extends Error {
	override readonly name = 'SessionManagerError';
	readonly code: SessionManagerErrorCode;

	static {
		knowInEveryCopy(SessionManagerError, 'SessionManagerError');
	}

	constructor(code: SessionManagerErrorCode, message: string, options?: ErrorOptions) {
		super(message, options);
		this.code = code;
	}
}
