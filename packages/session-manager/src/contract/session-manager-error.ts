/** What went wrong, as a stable word that code may compare. */
export type SessionManagerErrorCode =
	/** The store cannot be reached; trying again later may succeed. */
	| 'unavailable'
	/** What the store answered cannot be understood. */
	| 'corrupt'
	/** The session is not there: never issued, expired, or terminated. */
	| 'no-such-session'
	/** A bound was reached; the message names it. */
	| 'limit'
	/** The principal has as many sessions as it may. */
	| 'principal-limit'
	/** A client did not read what was sent to it, and its stream was closed at the bound. */
	| 'slow-client'
	/** A state key is empty or reserved. */
	| 'invalid-key'
	/** A value does not fit the schema of its state key. */
	| 'invalid-value'
	/** A compare-and-set lost against other writers more often than it may try. */
	| 'conflict'
	/** The manager was closed. */
	| 'closed';

/** An expected failure of a manager, with a `code` to act on and a message that says what to do. */
export class SessionManagerError extends Error {
	override readonly name = 'SessionManagerError';
	readonly code: SessionManagerErrorCode;

	constructor(code: SessionManagerErrorCode, message: string, options?: ErrorOptions) {
		super(message, options);
		this.code = code;
	}
}
