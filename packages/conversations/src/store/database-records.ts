import { SessionManagerError } from '@holdfast/session-manager/custom';
import { ConversationError } from '../contract/conversation-error.js';

/** Reads JSON of a column by `read`; throws `corrupt` where it cannot be understood. */
export function understood<T>(column: string, json: string, read: (value: unknown) => T): T {
	try {
		return read(JSON.parse(json));
	} catch (cause) {
		throw damaged(column, cause);
	}
}

/** Returns what `read` returns; `undefined` where that is corrupt, of which `ondamage` hears. */
export function tolerant<T>(read: () => T, ondamage: (error: Error) => void): T | undefined {
	try {
		return read();
	} catch (error) {
		if (!(error instanceof ConversationError) || error.code !== 'corrupt') throw error;
		ondamage(error);
		return undefined;
	}
}

/** The error of a column that is not what it was when it was written. */
export function damaged(column: string, cause?: unknown): ConversationError {
	return new ConversationError(
		'corrupt',
		`A ${column} in the database is damaged: restore it from a backup, or delete the conversation.`,
		{ cause },
	);
}

/** Throws an error of a database that sessions and conversations share, in the words of conversations. */
export function rethrow(error: unknown): never {
	if (!(error instanceof SessionManagerError)) throw error;
	const code = error.code === 'corrupt' || error.code === 'closed' ? error.code : 'unavailable';
	const message = code === 'closed' ? 'The store is closed.' : error.message;
	throw new ConversationError(code, message, { cause: error });
}
