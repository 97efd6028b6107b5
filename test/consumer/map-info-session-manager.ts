import {
	InfoSessionManager,
	type SessionPage,
	type SessionPatch,
	type SessionRecord,
	type StoredStateValue,
} from '@holdfast/session-manager';

interface Stored {
	record: SessionRecord;
	readonly uris: Set<string>;
	readonly state: Map<string, StoredStateValue>;
}

/** The abstract primitives over one map; nothing expires. */
export class MapInfoSessionManager extends InfoSessionManager {
	readonly #sessions = new Map<string, Stored>();
	#writes = 0;

	override create(record: SessionRecord): boolean {
		if (this.#sessions.has(record.id)) return false;
		this.#sessions.set(record.id, { record, uris: new Set(), state: new Map() });
		return true;
	}

	override read(id: string): SessionRecord | undefined {
		return this.#sessions.get(id)?.record;
	}

	override update(id: string, patch: SessionPatch): boolean {
		const session = this.#sessions.get(id);
		if (!session) return false;
		session.record = { ...session.record, ...patch };
		return true;
	}

	override touch(id: string, usedAt: number): boolean {
		const session = this.#sessions.get(id);
		if (!session) return false;
		session.record = { ...session.record, lastUsedAt: Math.max(usedAt, session.record.lastUsedAt) };
		return true;
	}

	override delete(id: string): boolean {
		return this.#sessions.delete(id);
	}

	override addSubscription(id: string, uri: string): boolean {
		return this.#sessions.get(id)?.uris.add(uri) !== undefined;
	}

	override removeSubscription(id: string, uri: string): boolean {
		return this.#sessions.get(id)?.uris.delete(uri) ?? false;
	}

	override getSubscriptions(uri: string): string[] {
		return [...this.#sessions].filter(([, session]) => session.uris.has(uri)).map(([id]) => id);
	}

	override getSubscribedUris(id: string): string[] {
		return [...(this.#sessions.get(id)?.uris ?? [])];
	}

	override readState(id: string, key: string): StoredStateValue | undefined {
		return this.#sessions.get(id)?.state.get(key);
	}

	override listState(id: string): ReadonlyMap<string, StoredStateValue> {
		return this.#sessions.get(id)?.state ?? new Map();
	}

	override writeState(id: string, key: string, expected: string | undefined, value: string | undefined): boolean {
		const state = this.#sessions.get(id)?.state;
		if (!state || (expected !== '*' && state.get(key)?.version !== expected)) return false;
		if (value === undefined) state.delete(key);
		else state.set(key, { version: `${++this.#writes}`, value });
		return true;
	}

	override scan(): SessionPage {
		return { records: [...this.#sessions.values()].map((session) => session.record) };
	}
}
