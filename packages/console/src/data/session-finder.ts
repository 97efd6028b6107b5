import type { EndedSession, InfoSessionManager, SessionRecord } from '@holdfast/session-manager';
import { isSession } from './is-session.js';
import { shortHash } from './short-hash.js';

/** How many ids are remembered. */
const KEPT = 10_000;
/** How many records are read at once. */
const PAGE = 500;
/** How many pages are read at most. */
const MAX_PAGES = 400;

/** A session that was found. */
export type Found =
	| { readonly record: SessionRecord; readonly ended?: undefined }
	| { readonly record?: undefined; readonly ended: EndedSession };

/**
 * Finds sessions by their short hashes, which addresses name: an id must not be seen. What a list has shown is found
 * with one read of the store; anything else by reading all sessions once.
 */
export class SessionFinder {
	readonly #info: InfoSessionManager;
	/** The ids by their short hashes, the one that was used longest ago first. */
	readonly #ids = new Map<string, string>();

	constructor(info: InfoSessionManager) {
		this.#info = info;
	}

	/** Remembers a session that is shown; returns its short hash. */
	remember(id: string): string {
		const hash = shortHash(id);
		this.#ids.delete(hash);
		this.#ids.set(hash, id);
		const [oldest] = this.#ids.keys();
		if (this.#ids.size > KEPT && oldest !== undefined) this.#ids.delete(oldest);
		return hash;
	}

	/** Returns a session, also one that has ended and is still kept; `undefined` where there is none. */
	async find(hash: string): Promise<Found | undefined> {
		const known = this.#ids.get(hash);
		if (known === undefined) return this.#search(hash);
		const record = await this.#info.read(known);
		if (record !== undefined) return { record };
		const ended = await this.#info.readEnded(known);
		return ended && { ended };
	}

	async #search(hash: string): Promise<Found | undefined> {
		let cursor: string | undefined;
		for (let pages = 0; pages < MAX_PAGES; pages++) {
			const page = await this.#info.scan(cursor, PAGE);
			const record = page.records.find((each) => isSession(each) && shortHash(each.id) === hash);
			if (record !== undefined) {
				this.remember(record.id);
				return { record };
			}
			cursor = page.cursor;
			if (cursor === undefined) return undefined;
		}
		return undefined;
	}
}
