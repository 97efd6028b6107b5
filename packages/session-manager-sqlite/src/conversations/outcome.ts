import { ConversationError } from '@holdfast/conversations/custom';

/** What a call returned, or why it was refused: to the store of the file, every throw is a failure of the file. */
export type Outcome<T> = { readonly value: T } | { readonly refused: ConversationError };

/** Makes a call. */
export function outcomeOf<T>(work: () => T): Outcome<T> {
	try {
		return { value: work() };
	} catch (error) {
		if (error instanceof ConversationError) return { refused: error };
		throw error;
	}
}

/** Returns what a call returned, or throws why it was refused. */
export function settled<T>(outcome: Outcome<T>): T {
	if ('refused' in outcome) throw outcome.refused;
	return outcome.value;
}
