import { Buffer } from 'node:buffer';
import { type Clock, systemClock } from '../contract/clock.js';
import {
	InfoSessionManager,
	MAX_STATE_BYTES,
	type SessionPage,
	type StoredStateValue,
} from '../contract/info-session-manager.js';
import type { NodeRecord } from '../contract/node-record.js';
import { SessionManagerError } from '../contract/session-manager-error.js';
import {
	type EndedSession,
	expiryOf,
	patched,
	type SessionLimits,
	type SessionPatch,
	type SessionRecord,
	type SessionStatus,
	statusOf,
} from '../contract/session-record.js';

/** Options of {@link InMemoryInfoSessionManager}. */
export interface InMemoryInfoSessionManagerOptions {
	/**
	 * The most sessions held at once, including ended ones that are still kept; 0: unlimited. Beyond it, `create` throws
	 * `SessionManagerError` `limit`.
	 *
	 * @default 10,000
	 */
	readonly maxSessions?: number;
	/**
	 * How often expired sessions are freed, in milliseconds. A session is unknown as soon as it expires.
	 *
	 * @default 30 s
	 */
	readonly sweepIntervalMs?: number;
	/**
	 * The source of time.
	 *
	 * @default the machine's clock
	 */
	readonly clock?: Clock;
}

/** What an {@link InMemoryInfoSessionManager} currently holds. */
export interface InMemoryInfoStats {
	/** Sessions, including ended ones that are still kept. */
	readonly sessions: number;
	/** Pairs of a session and a resource. */
	readonly subscriptions: number;
	/** State values of all sessions. */
	readonly stateValues: number;
}

interface Entry {
	/** Its position in the order of creation. */
	readonly serial: number;
	record: SessionRecord;
	/** When the session was last used, and when it ends even if it is used, on the monotonic clock. */
	usedAt: number;
	endsAt: number;
	uris: Set<string> | undefined;
	state: Map<string, StoredStateValue> | undefined;
	stateBytes: number;
	/** Set when the session is ended explicitly. */
	ended: { readonly at: number; readonly elapsed: number; readonly reason: string } | undefined;
}

/**
 * Keeps the sessions of one process in memory; they are lost when it exits. Every method returns a plain value, never a
 * promise.
 *
 * @example
 * ```ts source="../../test/examples/in-memory-info-session-manager.examples.ts#options"
 * const info = new InMemoryInfoSessionManager({ maxSessions: 1_000, sweepIntervalMs: 10_000 });
 * info.onerror = report;
 * ```
 */
export class InMemoryInfoSessionManager extends InfoSessionManager {
	readonly #clock: Clock;
	readonly #maxSessions: number;
	readonly #sweepIntervalMs: number;
	readonly #entries = new Map<string, Entry>();
	readonly #subscribers = new Map<string, Set<string>>();
	/** Ids of sessions, by principal. */
	readonly #owned = new Map<string, Set<string>>();
	/** What is held until a time on the monotonic clock, by name. */
	readonly #leases = new Map<string, { readonly holder: string; readonly until: number }>();
	readonly #nodes = new Map<string, { readonly node: NodeRecord; readonly until: number }>();
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

	/**
	 * Returns counts, for operators and for tests that look for leaks.
	 *
	 * @example
	 * ```ts source="../../test/examples/in-memory-info-session-manager.examples.ts#stats"
	 * const { sessions, subscriptions } = info.stats();
	 * const line = `${sessions} sessions, ${subscriptions} subscriptions`;
	 * ```
	 */
	stats(): InMemoryInfoStats {
		let subscriptions = 0;
		let stateValues = 0;
		for (const entry of this.#entries.values()) {
			subscriptions += entry.uris?.size ?? 0;
			stateValues += entry.state?.size ?? 0;
		}
		return { sessions: this.#entries.size, subscriptions, stateValues };
	}

	create(record: SessionRecord, { perPrincipal }: SessionLimits = {}): boolean {
		if (this.#closed) throw new SessionManagerError('closed', 'The info session manager is closed.');
		const { id, principal } = record;
		if (this.#kept(id) !== undefined) return false;
		if (perPrincipal !== undefined && principal !== undefined && this.#livingOf(principal) >= perPrincipal) {
			throw new SessionManagerError(
				'principal-limit',
				`A principal may have at most ${perPrincipal} sessions; end one of them first.`,
			);
		}
		if (this.#maxSessions > 0 && this.#entries.size >= this.#maxSessions) this.#makeRoom();
		const serial = ++this.#serials;
		this.#entries.set(id, {
			serial,
			record,
			usedAt: this.#elapsedAt(record.lastUsedAt),
			endsAt: this.#elapsedAt(record.endsAt),
			uris: undefined,
			state: undefined,
			stateBytes: 0,
			ended: undefined,
		});
		if (principal !== undefined) this.#owned.set(principal, (this.#owned.get(principal) ?? new Set()).add(id));
		this.#sweepLater();
		return true;
	}

	read(id: string): SessionRecord | undefined {
		return this.#find(id)?.record;
	}

	update(id: string, patch: SessionPatch, from?: SessionStatus): boolean {
		const entry = this.#find(id);
		if (entry === undefined || (from !== undefined && statusOf(entry.record) !== from)) return false;
		entry.record = patched(entry.record, patch);
		if ('endsAt' in patch) entry.endsAt = this.#elapsedAt(patch.endsAt);
		return true;
	}

	touch(id: string, usedAt: number): boolean {
		const entry = this.#find(id);
		if (entry === undefined) return false;
		entry.usedAt = Math.max(entry.usedAt, this.#elapsedAt(usedAt));
		if (usedAt > entry.record.lastUsedAt) entry.record = { ...entry.record, lastUsedAt: usedAt };
		return true;
	}

	override end(id: string, at: number, reason: string): boolean {
		const entry = this.#find(id);
		if (entry === undefined) return false;
		const endedAt = Math.min(at, this.#clock.now());
		entry.ended = { at: endedAt, elapsed: this.#elapsedAt(endedAt), reason };
		this.#unsubscribeAll(id, entry);
		this.#kept(id);
		return true;
	}

	override readEnded(id: string): EndedSession | undefined {
		const entry = this.#kept(id);
		if (entry === undefined || this.#isLiving(entry)) return undefined;
		const { record, ended } = entry;
		return { record, endedAt: ended?.at ?? expiryOf(record) ?? this.#clock.now(), reason: ended?.reason ?? 'expired' };
	}

	delete(id: string): boolean {
		const entry = this.#kept(id);
		if (entry === undefined) return false;
		this.#remove(id, entry);
		return true;
	}

	override sessionsOf(principal: string): string[] {
		return [...(this.#owned.get(principal) ?? [])].filter((id) => this.#kept(id) !== undefined);
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
		return this.#kept(id)?.state?.get(key);
	}

	listState(id: string): ReadonlyMap<string, StoredStateValue> {
		return new Map(this.#kept(id)?.state);
	}

	writeState(id: string, key: string, expected: string | undefined, value: string | undefined): boolean {
		const entry = this.#find(id);
		if (entry === undefined || (expected !== '*' && entry.state?.get(key)?.version !== expected)) return false;
		const bytes = entry.stateBytes + sizeOf(key, value) - sizeOf(key, entry.state?.get(key)?.value);
		if (value !== undefined && bytes > MAX_STATE_BYTES) {
			throw new SessionManagerError('limit', `The state of a session must have at most ${MAX_STATE_BYTES} bytes.`);
		}
		entry.stateBytes = bytes;
		entry.state ??= new Map();
		if (value === undefined) entry.state.delete(key);
		else entry.state.set(key, { version: (++this.#versions).toString(36), value });
		return true;
	}

	scan(cursor: string | undefined, limit: number): SessionPage {
		const records: SessionRecord[] = [];
		// A plain count would skip sessions when others are removed during the scan.
		let last = cursor === undefined ? 0 : Number(cursor);
		for (const entry of this.#entries.values()) {
			const { serial, record } = entry;
			if (serial <= last || !this.#isLiving(entry)) continue;
			if (records.length >= Math.max(1, limit)) return { records, cursor: String(last) };
			records.push(record);
			last = serial;
		}
		return { records };
	}

	override acquireLease(name: string, holder: string, ttlMs: number): boolean {
		const now = this.#clock.monotonic();
		const lease = this.#leases.get(name);
		if (lease !== undefined && lease.holder !== holder && now < lease.until) return false;
		this.#leases.set(name, { holder, until: now + ttlMs });
		return true;
	}

	override releaseLease(name: string, holder: string): void {
		if (this.#leases.get(name)?.holder === holder) this.#leases.delete(name);
	}

	override announceNode(node: NodeRecord, ttlMs: number): void {
		this.#nodes.set(node.id, { node, until: this.#clock.monotonic() + ttlMs });
		this.nodes();
	}

	override nodes(): NodeRecord[] {
		const now = this.#clock.monotonic();
		for (const [id, { until }] of this.#nodes) if (until <= now) this.#nodes.delete(id);
		return [...this.#nodes.values()].map(({ node }) => node);
	}

	override close(): void {
		this.#closed = true;
		this.#stopSweep?.();
		this.#stopSweep = undefined;
		this.#entries.clear();
		this.#subscribers.clear();
		this.#owned.clear();
		this.#leases.clear();
		this.#nodes.clear();
	}

	/** Returns the time on the monotonic clock of a date; infinity for none. */
	#elapsedAt(date = Number.POSITIVE_INFINITY): number {
		return this.#clock.monotonic() + date - this.#clock.now();
	}

	/** Returns the entry of a living session. */
	#find(id: string): Entry | undefined {
		const entry = this.#kept(id);
		return entry !== undefined && this.#isLiving(entry) ? entry : undefined;
	}

	/** Returns the entry of a session, or of an ended session that is still kept. */
	#kept(id: string): Entry | undefined {
		const entry = this.#entries.get(id);
		if (entry === undefined || !this.#isOver(entry)) return entry;
		this.#remove(id, entry);
		return undefined;
	}

	#isLiving(entry: Entry): boolean {
		return entry.ended === undefined && this.#clock.monotonic() < endOf(entry);
	}

	/** Returns whether nothing of the session is to be kept any longer. */
	#isOver(entry: Entry): boolean {
		return this.#clock.monotonic() >= endOf(entry) + (entry.record.keepEndedMs ?? 0);
	}

	#livingOf(principal: string): number {
		let living = 0;
		for (const id of this.#owned.get(principal) ?? []) if (this.#find(id) !== undefined) living++;
		return living;
	}

	#remove(id: string, entry: Entry): void {
		this.#entries.delete(id);
		this.#unsubscribeAll(id, entry);
		const { principal } = entry.record;
		const owned = principal === undefined ? undefined : this.#owned.get(principal);
		if (principal !== undefined && owned?.delete(id) && owned.size === 0) this.#owned.delete(principal);
	}

	#unsubscribeAll(id: string, entry: Entry): void {
		for (const uri of entry.uris ?? []) this.#unsubscribe(id, uri);
		entry.uris = undefined;
	}

	#unsubscribe(id: string, uri: string): void {
		const subscribers = this.#subscribers.get(uri);
		if (subscribers?.delete(id) && subscribers.size === 0) this.#subscribers.delete(uri);
	}

	/** Sweeps before it refuses, but at most once a second, because a client that fills the store asks often. */
	#makeRoom(): void {
		const now = this.#clock.monotonic();
		if (now - this.#sweptAt >= 1_000) this.#sweep();
		if (this.#entries.size < this.#maxSessions) return;
		throw new SessionManagerError(
			'limit',
			`The store already holds ${this.#maxSessions} sessions; raise maxSessions or end some.`,
		);
	}

	#sweep(): void {
		this.#sweptAt = this.#clock.monotonic();
		for (const [id, entry] of this.#entries) {
			if (this.#isOver(entry)) this.#remove(id, entry);
			else if (!this.#isLiving(entry)) this.#unsubscribeAll(id, entry);
		}
	}

	/** Sets one timer for all sessions, only while there are any. */
	#sweepLater(): void {
		this.#stopSweep ??= this.#clock.after(this.#sweepIntervalMs, () => {
			this.#stopSweep = undefined;
			this.#sweep();
			if (this.#entries.size > 0) this.#sweepLater();
		});
	}
}

/** Returns when the session ended, or will end if it is not used again, on the monotonic clock. */
function endOf({ record, usedAt, endsAt, ended }: Entry): number {
	return ended?.elapsed ?? Math.min(usedAt + (record.idleTtlMs ?? Number.POSITIVE_INFINITY), endsAt);
}

function sizeOf(key: string, value: string | undefined): number {
	return value === undefined ? 0 : Buffer.byteLength(key) + Buffer.byteLength(value);
}
