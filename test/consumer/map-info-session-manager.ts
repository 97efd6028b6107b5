import {
	InfoSessionManager,
	isExpired,
	MAX_STATE_BYTES,
	patched,
	type SessionLimits,
	SessionManagerError,
	type SessionPage,
	type SessionPatch,
	type SessionRecord,
	type SessionStatus,
	type StoredStateValue,
	statusOf,
} from '@holdfast/session-manager/custom';

interface Stored {
	readonly serial: number;
	record: SessionRecord;
	readonly uris: Set<string>;
	readonly state: Map<string, StoredStateValue>;
}

/** The abstract primitives over one map. Nothing is kept of a session that has ended. */
export class MapInfoSessionManager extends InfoSessionManager {
	readonly #sessions = new Map<string, Stored>();
	#serials = 0;
	#writes = 0;

	override create(record: SessionRecord, { perPrincipal }: SessionLimits = {}): boolean {
		const { id, principal } = record;
		if (this.#find(id)) return false;
		const owned = [...this.#living()].filter((session) => session.record.principal === principal).length;
		if (principal !== undefined && perPrincipal !== undefined && owned >= perPrincipal) {
			throw new SessionManagerError('principal-limit', `A principal may have ${perPrincipal} sessions at once.`);
		}
		this.#sessions.delete(id);
		this.#sessions.set(id, { serial: ++this.#serials, record, uris: new Set(), state: new Map() });
		return true;
	}

	override read(id: string): SessionRecord | undefined {
		return this.#find(id)?.record;
	}

	override update(id: string, patch: SessionPatch, from?: SessionStatus): boolean {
		const session = this.#find(id);
		if (!session || (from !== undefined && statusOf(session.record) !== from)) return false;
		session.record = patched(session.record, patch);
		return true;
	}

	override touch(id: string, usedAt: number): boolean {
		const session = this.#find(id);
		if (!session) return false;
		session.record = { ...session.record, lastUsedAt: Math.max(usedAt, session.record.lastUsedAt) };
		return true;
	}

	override delete(id: string): boolean {
		return this.#find(id) !== undefined && this.#sessions.delete(id);
	}

	override addSubscription(id: string, uri: string): boolean {
		return this.#find(id)?.uris.add(uri) !== undefined;
	}

	override removeSubscription(id: string, uri: string): boolean {
		return this.#find(id)?.uris.delete(uri) ?? false;
	}

	override getSubscriptions(uri: string): string[] {
		return [...this.#living()].filter(({ uris }) => uris.has(uri)).map(({ record }) => record.id);
	}

	override getSubscribedUris(id: string): string[] {
		return [...(this.#find(id)?.uris ?? [])];
	}

	override readState(id: string, key: string): StoredStateValue | undefined {
		return this.#find(id)?.state.get(key);
	}

	override listState(id: string): ReadonlyMap<string, StoredStateValue> {
		return new Map(this.#find(id)?.state);
	}

	override writeState(id: string, key: string, expected: string | undefined, value: string | undefined): boolean {
		const state = this.#find(id)?.state;
		if (!state || (expected !== '*' && state.get(key)?.version !== expected)) return false;
		if (value === undefined) {
			state.delete(key);
			return true;
		}
		let bytes = Buffer.byteLength(key + value);
		for (const [other, stored] of state) if (other !== key) bytes += Buffer.byteLength(other + stored.value);
		if (bytes > MAX_STATE_BYTES) throw new SessionManagerError('limit', `State is at most ${MAX_STATE_BYTES} bytes.`);
		state.set(key, { version: `${++this.#writes}`, value });
		return true;
	}

	override scan(cursor: string | undefined, limit: number): SessionPage {
		const rest = [...this.#living()].filter(({ serial }) => serial > Number(cursor ?? 0));
		const page = rest.slice(0, Math.max(1, limit));
		const records = page.map(({ record }) => record);
		return page.length === rest.length ? { records } : { records, cursor: `${page.at(-1)?.serial}` };
	}

	#find(id: string): Stored | undefined {
		const session = this.#sessions.get(id);
		return session && !isExpired(session.record, Date.now()) ? session : undefined;
	}

	*#living(): Generator<Stored, void> {
		for (const session of this.#sessions.values()) if (!isExpired(session.record, Date.now())) yield session;
	}
}
