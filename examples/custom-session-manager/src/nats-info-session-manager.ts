import * as sm from '@holdfast/session-manager';
import type { NatsConnection } from '@nats-io/transport-node';
import { NatsTable, type Slot } from './nats-table.js';

/** All of a session is one value: whatever is done to it is one step, and one that is gone takes no writes. */
interface Stored {
	record: sm.SessionRecord;
	uris: string[];
	state: (readonly [key: string, value: sm.StoredStateValue])[];
	/** Values written so far: the last version. */
	writes: number;
}

/**
 * Sessions of any number of nodes in a NATS key-value bucket. A session and its state are together at most `max_payload` of the
 * NATS server. Who is subscribed to a resource is found by looking at every session; with very many, keep an index.
 */
export class NatsInfoSessionManager extends sm.InfoSessionManager {
	readonly #sessions: NatsTable<Stored>;
	/** Ids of the sessions of a principal, where their number is limited. */
	readonly #principals: NatsTable<string[]>;

	/** The connection stays the caller's. A session that was not used for `ttlMs` is gone, whatever its record says. */
	constructor(nats: NatsConnection, name: string, ttlMs = 90 * 24 * 60 * 60_000) {
		super();
		this.#sessions = new NatsTable(nats, `${name}-sessions`, ttlMs);
		this.#principals = new NatsTable(nats, `${name}-principals`, ttlMs);
	}

	async create(record: sm.SessionRecord, { perPrincipal }: sm.SessionLimits = {}): Promise<boolean> {
		const made = await this.#sessions.change(record.id, (slot) => {
			if (isLiving(slot.value)) return false;
			slot.value = { record, uris: [], state: [], writes: 0 };
			return true;
		});
		if (!made || record.principal === undefined || perPrincipal === undefined) return made;
		if (await this.#admit(record.id, record.principal, perPrincipal)) return true;
		await this.delete(record.id);
		throw new sm.SessionManagerError('principal-limit', `A principal may have ${perPrincipal} sessions at once.`);
	}

	async read(id: string): Promise<sm.SessionRecord | undefined> {
		return (await this.#living(id))?.record;
	}

	update(id: string, patch: sm.SessionPatch, from?: sm.SessionStatus): Promise<boolean> {
		return this.#change(id, ({ record }) => {
			const is = from === undefined || sm.statusOf(record) === from;
			if (is) Object.assign(record, patch);
			return is;
		});
	}

	touch(id: string, usedAt: number): Promise<boolean> {
		return this.#change(id, ({ record }) => {
			Object.assign(record, { lastUsedAt: Math.max(usedAt, record.lastUsedAt) });
			return true;
		});
	}

	delete(id: string): Promise<boolean> {
		return this.#change(id, (_, slot) => delete slot.value);
	}

	addSubscription(id: string, uri: string): Promise<boolean> {
		return this.#change(id, ({ uris }) => uris.includes(uri) || uris.push(uri) > 0);
	}

	removeSubscription(id: string, uri: string): Promise<boolean> {
		return this.#change(id, ({ uris }) => uris.includes(uri) && uris.splice(uris.indexOf(uri), 1).length > 0);
	}

	getSubscriptions(uri: string): Promise<string[]> {
		return this.#sessions.find((session) =>
			session.uris.includes(uri) && isLiving(session) ? session.record.id : undefined,
		);
	}

	async getSubscribedUris(id: string): Promise<string[]> {
		return (await this.#living(id))?.uris ?? [];
	}

	async readState(id: string, key: string): Promise<sm.StoredStateValue | undefined> {
		return (await this.listState(id)).get(key);
	}

	async listState(id: string): Promise<ReadonlyMap<string, sm.StoredStateValue>> {
		return new Map((await this.#living(id))?.state);
	}

	async writeState(id: string, key: string, expected: string | undefined, value?: string): Promise<boolean> {
		const written = await this.#change(id, (session) => {
			const state = new Map(session.state);
			if (expected !== '*' && expected !== state.get(key)?.version) return false;
			state.delete(key);
			if (value !== undefined) {
				state.set(key, { version: `${++session.writes}`, value });
				const text = [...state].map(([name, each]) => name + each.value).join('');
				if (Buffer.byteLength(text) > sm.MAX_STATE_BYTES) return 'too much';
			}
			session.state = [...state];
			return true;
		});
		if (written !== 'too much') return written;
		throw new sm.SessionManagerError('limit', `The state of a session is at most ${sm.MAX_STATE_BYTES} bytes.`);
	}

	async scan(cursor = '', limit: number): Promise<sm.SessionPage> {
		const found = await this.#sessions.find((session) =>
			isLiving(session) && session.record.id > cursor ? session.record : undefined,
		);
		const page = found.sort((a, b) => (a.id < b.id ? -1 : 1)).slice(0, Math.max(1, limit));
		return { records: page, cursor: page.length < found.length ? page.at(-1)?.id : undefined };
	}

	/** Enters a new session in the list of its principal, unless it is full of living ones. */
	async #admit(id: string, principal: string, limit: number): Promise<boolean> {
		const listed = (await this.#principals.read(principal)) ?? [];
		const living = await Promise.all(listed.map((each) => this.#living(each)));
		const gone = listed.filter((each, index) => each === id || living[index] === undefined);
		return this.#principals.change(principal, (slot) => {
			const others = slot.value?.filter((each) => !gone.includes(each)) ?? [];
			if (others.length < limit) slot.value = [...others, id];
			return others.length < limit;
		});
	}

	async #living(id: string): Promise<Stored | undefined> {
		const session = await this.#sessions.read(id);
		return isLiving(session) ? session : undefined;
	}

	/** Changes a session that lives; `false` where there is none. */
	#change<A>(id: string, change: (session: Stored, slot: Slot<Stored>) => A): Promise<A | false> {
		return this.#sessions.change(id, (slot) => {
			if (!isLiving(slot.value)) slot.value = undefined;
			return slot.value !== undefined && change(slot.value, slot);
		});
	}
}

function isLiving(session: Stored | undefined): session is Stored {
	return session !== undefined && !sm.isExpired(session.record, Date.now());
}
