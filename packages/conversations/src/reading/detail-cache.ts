import type { Clock } from '@holdfast/session-manager';
import type { StoredConversation } from '../contract/conversation-record.js';
import type { Detail } from './resume-summary.js';

/**
 * Keeps the details of the conversations that were summed up last. An entry counts only for the revision that it was
 * read at, so a write on any node makes it stale.
 */
export class DetailCache {
	readonly #max: number;
	readonly #ttlMs: number;
	readonly #clock: Clock;
	/** The least recently used comes first. */
	readonly #entries = new Map<string, { readonly revision: string; readonly until: number; readonly detail: Detail }>();

	constructor(max: number, ttlMs: number, clock: Clock) {
		this.#max = max;
		this.#ttlMs = ttlMs;
		this.#clock = clock;
	}

	get size(): number {
		return this.#entries.size;
	}

	/** Returns the details of `stored`, read by `load` where they are not at hand. */
	async get({ head: { id }, revision }: StoredConversation, load: () => Promise<Detail>): Promise<Detail> {
		const now = this.#clock.monotonic();
		const entry = this.#entries.get(id);
		this.#entries.delete(id);
		if (entry !== undefined && entry.revision === revision && entry.until > now) {
			this.#entries.set(id, entry);
			return entry.detail;
		}
		const detail = await load();
		if (this.#max > 0) this.#entries.set(id, { revision, until: now + this.#ttlMs, detail });
		for (const [oldest, { until }] of this.#entries) {
			if (this.#entries.size <= this.#max && until > now) break;
			this.#entries.delete(oldest);
		}
		return detail;
	}

	drop(id: string): void {
		this.#entries.delete(id);
	}
}
