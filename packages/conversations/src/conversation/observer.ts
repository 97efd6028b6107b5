import { randomUUID } from 'node:crypto';
import { isThenable } from '@holdfast/session-manager/custom';
import { ConversationError } from '../contract/conversation-error.js';

/** How many conversations there are. */
export interface ConversationStats {
	readonly active: number;
	readonly suspended: number;
	readonly terminated: number;
	readonly total: number;
	/** The average size of up to 100 conversations, in bytes. */
	readonly averageBytes: number;
	/** The age of the oldest conversation, in milliseconds. */
	readonly oldestAgeMs: number;
	/** How many conversations this node keeps in memory. */
	readonly cached: number;
}

/** What an observer hears of. Durations are in milliseconds. */
export type ConversationEvent =
	/** Somebody created a conversation, or tried to. `error` is the code of the error. */
	| { readonly type: 'conversation-created'; readonly durationMs: number; readonly error?: string | undefined }
	/** Somebody called `stats`. */
	| ({ readonly type: 'conversations-counted' } & ConversationStats);

/** Watches conversations. The observers of transports, such as those of `@holdfast/telemetry`, fit. */
export interface ConversationObserver {
	/** Something happened. `nodeId` names the `Conversations` where it did. Whatever it throws goes to `onerror`. */
	event?(event: ConversationEvent, nodeId: string): unknown;
}

/** The observers of one `Conversations`. It never throws. */
export class Observation {
	readonly #observers: readonly ConversationObserver[];
	readonly #report: (error: unknown) => void;
	readonly #nodeId = randomUUID();

	constructor(observers: readonly ConversationObserver[], report: (error: unknown) => void) {
		this.#observers = observers;
		this.#report = report;
	}

	/** Tells every observer. */
	emit(event: ConversationEvent): void {
		for (const observer of this.#observers) {
			try {
				const done = observer.event?.(event, this.#nodeId);
				if (isThenable(done)) Promise.resolve(done).catch(this.#report);
			} catch (error) {
				this.#report(error);
			}
		}
	}
}

/** Returns what an event says of an error. */
export function errorName(error: unknown): string {
	if (error instanceof ConversationError) return error.code;
	return error instanceof Error ? error.name : 'other';
}
