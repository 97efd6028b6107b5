import { setImmediate } from 'node:timers/promises';
import type { SearchCandidate, SearchRequest } from '@holdfast/conversations/custom';
import { type MaybePromise, systemClock } from '@holdfast/session-manager/custom';
import type { SqliteConnection } from '../file/connection.js';
import { search } from './search.js';

/** How long searches may take in one turn of the event loop, in milliseconds. */
const TURN_MS = 8;

/** Makes `work` read the file. */
type Read = <T>(work: (db: SqliteConnection) => T) => MaybePromise<T>;

/** Searches without blocking the event loop: in each of its turns one search goes on for a moment. */
export class SearchTurns {
	readonly #read: Read;
	readonly #ondamage: (error: Error) => void;
	#last: Promise<void> = Promise.resolve();

	/** `ondamage` hears of what is left out because it is corrupt. */
	constructor(read: Read, ondamage: (error: Error) => void) {
		this.#read = read;
		this.#ondamage = ondamage;
	}

	async run(request: SearchRequest): Promise<readonly SearchCandidate[]> {
		const part = partsOf(request, this.#ondamage);
		for (;;) {
			await this.#turn();
			const found = await this.#read(part);
			if (found !== undefined) return found;
		}
	}

	/** Resolves in a turn of the event loop that is nobody else's. */
	#turn(): Promise<void> {
		this.#last = this.#last.then(() => setImmediate());
		return this.#last;
	}
}

/** Returns what does the next part of a search and returns what was found once that was the last one. */
function partsOf(
	request: SearchRequest,
	ondamage: (error: Error) => void,
): (db: SqliteConnection) => SearchCandidate[] | undefined {
	let begun: { readonly db: SqliteConnection; readonly parts: ReturnType<typeof search> } | undefined;
	return (db) => {
		// What failed, or was begun on another connection, begins anew.
		const { parts } = begun?.db === db ? begun : { parts: search(db, request, ondamage) };
		begun = undefined;
		for (const until = systemClock.monotonic() + TURN_MS; ; ) {
			const { done, value } = parts.next();
			if (done) return value;
			if (systemClock.monotonic() < until) continue;
			begun = { db, parts };
			return undefined;
		}
	};
}
