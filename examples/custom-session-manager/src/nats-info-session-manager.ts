import { randomUUID } from 'node:crypto';
import * as sm from '@holdfast/session-manager/custom';
import type { JetStreamManager } from '@nats-io/jetstream';
import { NatsTable } from './nats-table.js';

type Session = { born?: number; record: sm.SessionRecord; uris: string[]; state: [string, sm.StoredStateValue][] };

/** Keeps each session in JetStream as one value. It scans all of them for subscribers; with very many, add an index. */
export class NatsInfoSessionManager extends sm.InfoSessionManager {
	readonly #sessions: NatsTable<Session>;

	constructor(jsm: JetStreamManager, name: string) {
		super();
		this.#sessions = new NatsTable(jsm, name);
	}

	read = async (id: string) => (await this.#sessions.read(id))?.record;
	getSubscribedUris = async (id: string) => (await this.#sessions.read(id))?.uris ?? [];
	listState = async (id: string) => new Map((await this.#sessions.read(id))?.state);
	readState = async (id: string, key: string) => (await this.listState(id)).get(key);
	getSubscriptions = async (uri: string) =>
		(await this.#sessions.all()).filter(({ uris }) => uris.includes(uri)).map(({ record }) => record.id);
	delete = (id: string) => this.#sessions.change(id, (session) => session && null);

	async create(record: sm.SessionRecord, { perPrincipal }: sm.SessionLimits = {}): Promise<boolean> {
		const { id, principal } = record;
		const isNew = await this.#sessions.change(id, (there) => (there ? undefined : { record, uris: [], state: [] }));
		if (!isNew || principal === undefined || perPrincipal === undefined) return isNew;
		const sessions = (await this.#sessions.all()).filter((each) => each.record.principal === principal);
		sessions.sort((a, b) => Number(a.born) - Number(b.born));
		if (sessions.findIndex((each) => each.record.id === id) < perPrincipal) return true;
		await this.delete(id);
		throw new sm.SessionManagerError('principal-limit', `A principal may have at most ${perPrincipal} sessions.`);
	}

	update(id: string, patch: sm.SessionPatch, from?: sm.SessionStatus): Promise<boolean> {
		const isMeant = ({ record }: Session) => from === undefined || from === sm.statusOf(record);
		const updated = (session: Session) => ({ ...session, record: sm.patched(session.record, patch) });
		return this.#sessions.change(id, (session) => (session && isMeant(session) ? updated(session) : undefined));
	}

	touch(id: string, usedAt: number): Promise<boolean> {
		const used = (record: sm.SessionRecord) => ({ ...record, lastUsedAt: Math.max(usedAt, record.lastUsedAt) });
		return this.#sessions.change(id, (session) => session && { ...session, record: used(session.record) });
	}

	addSubscription(id: string, uri: string): Promise<boolean> {
		const added = (session: Session) => ({ ...session, uris: [...new Set(session.uris).add(uri)] });
		return this.#sessions.change(id, (session) => session && added(session));
	}

	removeSubscription(id: string, uri: string): Promise<boolean> {
		const removed = (session: Session) => ({ ...session, uris: session.uris.filter((each) => each !== uri) });
		return this.#sessions.change(id, (session) => (session?.uris.includes(uri) ? removed(session) : undefined));
	}

	writeState(id: string, key: string, expected: string | undefined, value?: string): Promise<boolean> {
		return this.#sessions.change(id, (session) => {
			const state = new Map(session?.state);
			if (!session || (expected !== '*' && expected !== state.get(key)?.version)) return undefined;
			state.delete(key);
			if (value !== undefined) state.set(key, { version: randomUUID(), value });
			const text = [...state].map(([name, each]) => name + each.value).join('');
			if (Buffer.byteLength(text) <= sm.MAX_STATE_BYTES) return { ...session, state: [...state] };
			throw new sm.SessionManagerError('limit', `A session has at most ${sm.MAX_STATE_BYTES} bytes of state.`);
		});
	}

	async scan(cursor = '', limit: number): Promise<sm.SessionPage> {
		const all = (await this.#sessions.all()).map(({ record }) => record).filter(({ id }) => id > cursor);
		const records = all.sort((a, b) => (a.id < b.id ? -1 : 1)).slice(0, Math.max(1, limit));
		return { records, cursor: records.length < all.length ? records.at(-1)?.id : undefined };
	}
}
