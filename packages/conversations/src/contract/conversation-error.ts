import { knowInEveryCopy } from '@holdfast/session-manager/internal';

/** A stable code that programs can compare. */
export type ConversationErrorCode =
	/** The conversation does not exist, or the person who asks is no member of it. */
	| 'not-found'
	/** A conversation with this id exists already. */
	| 'taken'
	/** The person's role does not allow this. */
	| 'forbidden'
	/** The conversation is suspended: it must be resumed first. */
	| 'suspended'
	/** The conversation has ended: it can be read, but not changed. */
	| 'terminated'
	/** A limit was reached; the message names it. */
	| 'limit'
	/** An argument is not what it must be. */
	| 'invalid'
	/** A share link was changed, has expired or was revoked. */
	| 'invalid-link'
	/** Another writer was faster: read again, then write again. */
	| 'conflict'
	/** What is stored cannot be understood. It is never overwritten. */
	| 'corrupt'
	/** The store cannot be reached or cannot be written; a later attempt may succeed. */
	| 'unavailable'
	/** The store is closed. */
	| 'closed';

/**
 * An expected failure. Its `code` is stable, and its message tells a person or a model what to do next. `instanceof`
 * knows those of another copy of this package, too.
 *
 * @example
 * ```ts source="../../test/examples/conversations.examples.ts#error"
 * try {
 * 	return await alice.open('debug-memory-leak');
 * } catch (error) {
 * 	if (error instanceof ConversationError && error.code === 'not-found') return alice.create({ title: 'Leak' });
 * 	throw error;
 * }
 * ```
 */
export class ConversationError extends Error {
	override readonly name = 'ConversationError';
	readonly code: ConversationErrorCode;

	static {
		knowInEveryCopy(ConversationError, 'ConversationError');
	}

	constructor(code: ConversationErrorCode, message: string, options?: ErrorOptions) {
		super(message, options);
		this.code = code;
	}
}
