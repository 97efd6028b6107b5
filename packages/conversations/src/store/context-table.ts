import type { Json } from '@holdfast/session-manager';
import { bytesOfEntry, type ContextEntry, type ContextWrite, typeOfValue } from '../contract/conversation-record.js';
import { keysToArchive } from './room.js';

/** One change of a context. Applied in the order of their versions, changes make up the context. */
export type ContextChange =
	| {
			readonly version: number;
			readonly key: string;
			readonly value: Json;
			readonly at: number;
			readonly by?: string | undefined;
			/** The keys that move to the archive to make room. */
			readonly archived?: readonly string[] | undefined;
	  }
	| { readonly version: number; readonly removed: readonly string[] }
	| { readonly version: number; readonly used: readonly string[]; readonly at: number };

/** A value that changes written earlier add up to, as a snapshot keeps it. */
export type KeptEntry = Pick<
	ContextEntry,
	'key' | 'value' | 'version' | 'addedAt' | 'updatedAt' | 'accessedAt' | 'by' | 'archived'
>;

/**
 * The context of one conversation in memory. Changes are planned first, so that they can be stored before they count.
 */
export class ContextTable {
	readonly #entries = new Map<string, ContextEntry>();
	#version = 0;

	/** The version of the last change. */
	get version(): number {
		return this.#version;
	}

	get entries(): readonly ContextEntry[] {
		return [...this.#entries.values()];
	}

	get(key: string): ContextEntry | undefined {
		return this.#entries.get(key);
	}

	/** Returns the change that writes `key`, or `false` where the stored version is not `expected`. */
	plan(
		key: string,
		expected: string | undefined,
		write: ContextWrite | undefined,
		maxBytes: number | undefined,
	): ContextChange | false {
		const stored = this.#entries.get(key);
		if (expected !== '*' && stored?.version !== expected) return false;
		const version = this.#version + 1;
		if (write === undefined) return { version, removed: [key] };
		const { value, at, by } = write;
		const others = this.entries.filter((entry) => !entry.archived && entry.key !== key);
		const measured = { key, bytes: bytesOfEntry(key, value), accessedAt: at };
		const archived = maxBytes === undefined ? [] : keysToArchive(others, measured, maxBytes);
		return { version, key, value, at, ...(by !== undefined && { by }), ...(archived.length > 0 && { archived }) };
	}

	/** Returns the change that records a use of `keys`; `undefined` where nothing would change. */
	planUse(keys: readonly string[], at: number): ContextChange | undefined {
		const used = keys.filter((key) => (this.#entries.get(key)?.accessedAt ?? at) < at);
		return used.length === 0 ? undefined : { version: this.#version + 1, used, at };
	}

	/** Returns the change that removes what `principal` wrote; `undefined` where there is nothing. */
	planErasure(principal: string): ContextChange | undefined {
		const removed = this.entries.filter(({ by }) => by === principal).map(({ key }) => key);
		return removed.length === 0 ? undefined : { version: this.#version + 1, removed };
	}

	apply(change: ContextChange): void {
		this.#version = change.version;
		if ('removed' in change) {
			for (const key of change.removed) this.#entries.delete(key);
		} else if ('used' in change) {
			for (const key of change.used) this.#change(key, { accessedAt: change.at });
		} else {
			const { key, value, at, by } = change;
			this.#entries.set(key, {
				key,
				value,
				version: String(change.version),
				type: typeOfValue(value),
				bytes: bytesOfEntry(key, value),
				addedAt: this.#entries.get(key)?.addedAt ?? at,
				updatedAt: at,
				accessedAt: at,
				by,
				archived: false,
			});
			for (const other of change.archived ?? []) this.#change(other, { archived: true });
		}
	}

	/** Begins with a snapshot: the entries as they were at `version`. */
	restore(version: number, entries: readonly KeptEntry[]): void {
		this.#version = version;
		this.#entries.clear();
		for (const entry of entries) {
			const { key, value } = entry;
			this.#entries.set(key, { ...entry, type: typeOfValue(value), bytes: bytesOfEntry(key, value) });
		}
	}

	#change(key: string, fields: Partial<ContextEntry>): void {
		const entry = this.#entries.get(key);
		if (entry !== undefined) this.#entries.set(key, { ...entry, ...fields });
	}
}
