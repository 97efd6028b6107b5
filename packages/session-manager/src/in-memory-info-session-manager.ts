import { type Clock, systemClock } from './clock.js';
import { InfoSessionManager, type SessionPage, type StoredStateValue } from './info-session-manager.js';
import { SessionManagerError } from './session-manager-error.js';
import { isExpired, type SessionPatch, type SessionRecord } from './session-record.js';

/** Options of {@link InMemoryInfoSessionManager}. */
export interface InMemoryInfoSessionManagerOptions {
	/** Sessions held at once (default 10,000; 0: no bound). Past it, `create` throws `SessionManagerError` `limit`. */
	readonly maxSessions?: number;
	/** How often expired sessions are looked for, in milliseconds (default 30 s). They are unknown the moment they expire. */
	readonly sweepIntervalMs?: number;
	/** Where time comes from (default: the machine). */
	readonly clock?: Clock;
}

/** What an {@link InMemoryInfoSessionManager} holds at the moment. */
export interface InMemoryInfoStats {
	readonly sessions: number;
	/** Pairs of session and resource. */
	readonly subscriptions: number;
	/** Values of state, of all sessions. */
	readonly stateValues: number;
}

interface Entry {
	/** Its place in the order of all sessions that were made. */
	readonly serial: number;
	record: SessionRecord;
	uris: Set<string> | undefined;
	state: Map<string, StoredStateValue> | undefined;
}

/** Sessions of one process; they end with it. Every answer is at hand at once, never a promise. */
export class InMemoryInfoSessionManager extends InfoSessionManager {
	readonly #clock: Clock;
	readonly #maxSessions: number;
	readonly #sweepIntervalMs: number;
	readonly #entries = new Map<string, Entry>();
	readonly #subscribers = new Map<string, Set<string>>();
	#versions = 0;
	#sweptAt = Number.NEGATIVE_INFINITY;
	#serials = 0;
	#stopSweep: (() => void) | undefined;
	#closed = false;

	constructor(options: InMemoryInfoSessionManagerOptions = {}) {
		super();
		this.#clock = options.clock ?? systemClock;
		this.#maxSessions = options.maxSessions ?? 10_000;
		this.#sweepIntervalMs = Math.max(1, options.sweepIntervalMs ?? 30_000);
	}

	/** Counts for operators and for tests of leaks. */
	stats(): InMemoryInfoStats {
		let subscriptions = 0;
		let stateValues = 0;
		for (const entry of this.#entries.values()) {
			subscriptions += entry.uris?.size ?? 0;
			stateValues += entry.state?.size ?? 0;
		}
		return { sessions: this.#entries.size, subscriptions, stateValues };
	}

	create(record: SessionRecord): boolean {
		if (this.#closed) throw new SessionManagerError('closed', 'The info manager is closed.');
		if (this.#find(record.id) !== undefined) return false;
		if (this.#maxSessions > 0 && this.#entries.size >= this.#maxSessions) this.#makeRoom();
		this.#entries.set(record.id, { serial: ++this.#serials, record, uris: undefined, state: undefined });
		this.#sweepLater();
		return true;
	}

	read(id: string): SessionRecord | undefined {
		return this.#find(id)?.record;
	}

	update(id: string, patch: SessionPatch): boolean {
		const entry = this.#find(id);
		if (entry === undefined) return false;
		entry.record = { ...entry.record, ...patch };
		return true;
	}

	touch(id: string, usedAt: number): boolean {
		const entry = this.#find(id);
		if (entry === undefined) return false;
		if (usedAt > entry.record.lastUsedAt) entry.record = { ...entry.record, lastUsedAt: usedAt };
		return true;
	}

	delete(id: string): boolean {
		const entry = this.#find(id);
		if (entry === undefined) return false;
		this.#remove(id, entry);
		return true;
	}

	addSubscription(id: string, uri: string): boolean {
		const entry = this.#find(id);
		if (entry === undefined) return false;
		entry.uris ??= new Set();
		entry.uris.add(uri);
		const subscribers = this.#subscribers.get(uri) ?? new Set();
		this.#subscribers.set(uri, subscribers.add(id));
		return true;
	}

	removeSubscription(id: string, uri: string): boolean {
		const removed = this.#find(id)?.uris?.delete(uri) ?? false;
		if (removed) this.#unsubscribe(id, uri);
		return removed;
	}

	getSubscriptions(uri: string): string[] {
		const ids: string[] = [];
		for (const id of this.#subscribers.get(uri) ?? []) if (this.#find(id) !== undefined) ids.push(id);
		return ids;
	}

	getSubscribedUris(id: string): string[] {
		return [...(this.#find(id)?.uris ?? [])];
	}

	readState(id: string, key: string): StoredStateValue | undefined {
		return this.#find(id)?.state?.get(key);
	}

	listState(id: string): ReadonlyMap<string, StoredStateValue> {
		return new Map(this.#find(id)?.state);
	}

	writeState(id: string, key: string, expected: string | undefined, value: string | undefined): boolean {
		const entry = this.#find(id);
		if (entry === undefined || (expected !== '*' && entry.state?.get(key)?.version !== expected)) return false;
		entry.state ??= new Map();
		if (value === undefined) entry.state.delete(key);
		else entry.state.set(key, { version: (++this.#versions).toString(36), value });
		return true;
	}

	scan(cursor: string | undefined, limit: number): SessionPage {
		const records: SessionRecord[] = [];
		const now = this.#clock.now();
		// A count of sessions would pass over some when others go meanwhile.
		let last = cursor === undefined ? 0 : Number(cursor);
		for (const { serial, record } of this.#entries.values()) {
			if (serial <= last || isExpired(record, now)) continue;
			if (records.length >= Math.max(1, limit)) return { records, cursor: String(last) };
			records.push(record);
			last = serial;
		}
		return { records };
	}

	override close(): void {
		this.#closed = true;
		this.#stopSweep?.();
		this.#stopSweep = undefined;
		this.#entries.clear();
		this.#subscribers.clear();
	}

	#find(id: string): Entry | undefined {
		const entry = this.#entries.get(id);
		if (entry === undefined || !isExpired(entry.record, this.#clock.now())) return entry;
		this.#remove(id, entry);
		return undefined;
	}

	#remove(id: string, entry: Entry): void {
		this.#entries.delete(id);
		for (const uri of entry.uris ?? []) this.#unsubscribe(id, uri);
	}

	#unsubscribe(id: string, uri: string): void {
		const subscribers = this.#subscribers.get(uri);
		if (subscribers?.delete(id) && subscribers.size === 0) this.#subscribers.delete(uri);
	}

	/** Looks for expired sessions before it refuses; at most once a second, because whoever fills the store asks often. */
	#makeRoom(): void {
		const now = this.#clock.now();
		if (now - this.#sweptAt >= 1_000) this.#sweep(now);
		if (this.#entries.size < this.#maxSessions) return;
		throw new SessionManagerError(
			'limit',
			`There are ${this.#maxSessions} sessions, which is as many as may be (maxSessions).`,
		);
	}

	#sweep(now: number): void {
		this.#sweptAt = now;
		for (const [id, entry] of this.#entries) if (isExpired(entry.record, now)) this.#remove(id, entry);
	}

	/** One timer for all sessions, set only while there are any. */
	#sweepLater(): void {
		this.#stopSweep ??= this.#clock.after(this.#sweepIntervalMs, () => {
			this.#stopSweep = undefined;
			this.#sweep(this.#clock.now());
			if (this.#entries.size > 0) this.#sweepLater();
		});
	}
}
