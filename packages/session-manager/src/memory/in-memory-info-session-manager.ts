import { Buffer } from 'node:buffer';
import type { Clock } from '../contract/clock.js';
import {
	InfoSessionManager,
	MAX_STATE_BYTES,
	type SessionPage,
	type StoredStateValue,
} from '../contract/info-session-manager.js';
import { principalLimit, roomFor, storeLimit } from '../contract/limit-errors.js';
import type { NodeRecord } from '../contract/node-record.js';
import { SessionManagerError } from '../contract/session-manager-error.js';
import {
	type EndedSession,
	expiryOf,
	type JsonObject,
	patched,
	type SessionLimits,
	type SessionPatch,
	type SessionRecord,
	type SessionStatus,
	statusOf,
} from '../contract/session-record.js';
import { parseShared, sharedText } from '../contract/shared-json.js';
import { systemClock } from '../contract/system-clock.js';
import { visitInTurns } from '../contract/visit-in-turns.js';
import { checkOptions, type OptionSchemas } from '../options/check-options.js';
import { inMemoryOptions } from './in-memory-options.js';
import { leastUsed, type OrderedSession, UnusedOrder } from './unused-order.js';

/** Options of {@link InMemoryInfoSessionManager}. */
export interface InMemoryInfoSessionManagerOptions {
	/**
	 * The most living sessions held at once, and as many records of other kinds; 0: unlimited. Beyond it, and beyond
	 * three quarters of it for records without a principal, `create` throws `SessionManagerError` `limit`.
	 *
	 * @default 100,000
	 */
	readonly maxSessions?: number;
	/**
	 * The most text held at once, in bytes of memory: of records, subscriptions and state; 0: unlimited. Beyond it, what
	 * adds to it throws `SessionManagerError` `limit`.
	 *
	 * @default 256 MiB
	 */
	readonly maxBytes?: number;
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
	/** Records of other kinds. */
	readonly records: number;
	/** Pairs of a session and a resource. */
	readonly subscriptions: number;
	/** State values of all sessions. */
	readonly stateValues: number;
	/** Leases, including lapsed ones until the next sweep. */
	readonly leases: number;
	/** What all of the sessions and records counts towards `maxBytes`. */
	readonly bytes: number;
}

const schemas: OptionSchemas<InMemoryInfoSessionManagerOptions> = inMemoryOptions;

/** The shortest time between two sweeps, in milliseconds. */
const MIN_SWEEP_MS = 100;
/** How many sessions and subscriptions a sweep goes through in one turn of the event loop. */
const SWEPT_AT_ONCE = 2_000;
/** How often all sessions are looked through for room, at most, in milliseconds. */
const SEARCH_INTERVAL_MS = 1_000;

interface Entry extends OrderedSession {
	/** Its position in the order of creation. */
	readonly serial: number;
	/** Without {@link Details} and claims. */
	record: Short;
	/** Its {@link Details} as JSON, which takes a fraction of the memory of objects. */
	details: string;
	/** Its claims as JSON. */
	readonly claims: string | undefined;
	/** What it counts towards `maxBytes`. */
	bytes: number;
	/** When the session ends even if it is used, on the monotonic clock, as is `usedAt`. */
	endsAt: number;
	uris: Set<string> | undefined;
	state: Map<string, StoredStateValue> | undefined;
	stateBytes: number;
	/** Set when the session is ended explicitly. */
	ended: { readonly at: number; readonly elapsed: number; readonly reason: string } | undefined;
}

/** A record without what can be long in it. */
type Short = Omit<SessionRecord, keyof Details | 'claims'>;

/** What clients of one kind have in common, and can be long. */
type Details = Pick<SessionRecord, 'initializeParams' | 'serverCapabilities'>;

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
	readonly #maxBytes: number;
	readonly #sweepIntervalMs: number;
	readonly #entries = new Map<string, Entry>();
	readonly #subscribers = new Map<string, Set<string>>();
	/** Ids of sessions and other records, by principal. */
	readonly #owned = new Map<string, Set<string>>();
	/** The living sessions; some may have expired. */
	readonly #unused = new UnusedOrder<Entry>();
	/** What is held until a time on the monotonic clock, by name. */
	readonly #leases = new Map<string, { readonly holder: string; readonly until: number }>();
	readonly #nodes = new Map<string, { readonly node: NodeRecord; readonly until: number }>();
	/** How many of the entries are no sessions. */
	#records = 0;
	#bytes = 0;
	#versions = 0;
	/** When all sessions were last looked through for room, on the monotonic clock. */
	#searchedAt = Number.NEGATIVE_INFINITY;
	#serials = 0;
	#stopSweep: (() => void) | undefined;
	#closed = false;

	constructor(options: InMemoryInfoSessionManagerOptions = {}) {
		super();
		checkOptions('InMemoryInfoSessionManager', schemas, options);
		this.#clock = options.clock ?? systemClock;
		this.#maxSessions = options.maxSessions ?? 100_000;
		this.#maxBytes = options.maxBytes ?? 256 * 1024 * 1024;
		this.#sweepIntervalMs = Math.max(MIN_SWEEP_MS, options.sweepIntervalMs ?? 30_000);
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
		const records = this.#records;
		const sessions = this.#entries.size - records;
		return { sessions, records, subscriptions, stateValues, leases: this.#leases.size, bytes: this.#bytes };
	}

	create(record: SessionRecord, { perPrincipal }: SessionLimits = {}): boolean {
		if (this.#closed) throw new SessionManagerError('closed', 'The info session manager is closed.');
		const { id, principal, kind } = record;
		if (this.#kept(id) !== undefined) return false;
		if (perPrincipal !== undefined && principal !== undefined && this.#livingOf(principal, kind).size >= perPrincipal)
			throw principalLimit(perPrincipal, kind);
		this.#makeRoom(record);
		const serial = ++this.#serials;
		const entry: Entry = {
			id,
			...ownerOf(record),
			serial,
			bytes: 0,
			usedAt: this.#elapsedAt(record.lastUsedAt),
			endsAt: this.#elapsedAt(record.endsAt),
			uris: undefined,
			state: undefined,
			stateBytes: 0,
			ended: undefined,
			...split(record),
		};
		const texts = [id, principal ?? '', entry.details, entry.claims ?? ''];
		this.#count(
			entry,
			texts.map(memoryOf).reduce((sum, bytes) => sum + bytes),
		);
		this.#entries.set(id, entry);
		if (kind === undefined) this.#unused.use(entry);
		else this.#records++;
		if (principal !== undefined) this.#owned.set(principal, (this.#owned.get(principal) ?? new Set()).add(id));
		this.#sweepLater();
		return true;
	}

	read(id: string): SessionRecord | undefined {
		const entry = this.#find(id);
		return entry && join(entry);
	}

	update(id: string, patch: SessionPatch, from?: SessionStatus): boolean {
		const entry = this.#find(id);
		if (entry === undefined || (from !== undefined && statusOf(entry.record) !== from)) return false;
		if (changesDetails(patch)) {
			const { record, details } = split(patched(join(entry), patch));
			this.#count(entry, memoryOf(details) - memoryOf(entry.details));
			entry.record = record;
			entry.details = details;
		} else entry.record = { ...entry.record, ...patch };
		if ('endsAt' in patch) entry.endsAt = this.#elapsedAt(patch.endsAt);
		return true;
	}

	touch(id: string, usedAt: number): boolean {
		const entry = this.#find(id);
		if (entry === undefined) return false;
		const elapsed = this.#elapsedAt(usedAt);
		if (elapsed > entry.usedAt) {
			entry.usedAt = elapsed;
			if (entry.record.kind === undefined) this.#unused.use(entry);
		}
		if (usedAt > entry.record.lastUsedAt) entry.record = { ...entry.record, lastUsedAt: usedAt };
		return true;
	}

	override end(id: string, at: number, reason: string): boolean {
		const entry = this.#find(id);
		if (entry === undefined) return false;
		const endedAt = Math.min(at, this.#clock.now());
		entry.ended = { at: endedAt, elapsed: this.#elapsedAt(endedAt), reason };
		this.#unused.delete(entry);
		this.#unsubscribeAll(id, entry);
		this.#kept(id);
		return true;
	}

	override endUnused(at: number, reason: string, principal?: string): string | undefined {
		const living = principal === undefined ? undefined : this.#livingOf(principal, undefined);
		for (;;) {
			const entry = living === undefined ? this.#unused.first() : leastUsed(living);
			if (entry === undefined) return undefined;
			living?.delete(entry);
			this.#unused.delete(entry);
			if (this.end(entry.id, at, reason)) return entry.id;
		}
	}

	override readEnded(id: string): EndedSession | undefined {
		const entry = this.#kept(id);
		if (entry === undefined || this.#isLiving(entry)) return undefined;
		const { ended } = entry;
		const record = join(entry);
		return { record, endedAt: ended?.at ?? expiryOf(record) ?? this.#clock.now(), reason: ended?.reason ?? 'expired' };
	}

	delete(id: string): boolean {
		const entry = this.#kept(id);
		if (entry === undefined) return false;
		this.#remove(id, entry);
		return true;
	}

	override sessionsOf(principal: string, kind?: string): string[] {
		return [...(this.#owned.get(principal) ?? [])].filter((id) => {
			const entry = this.#kept(id);
			return entry !== undefined && entry.record.kind === kind;
		});
	}

	addSubscription(id: string, uri: string): boolean {
		const entry = this.#find(id);
		if (entry === undefined) return false;
		if (entry.uris?.has(uri)) return true;
		this.#count(entry, memoryOf(uri));
		entry.uris ??= new Set();
		entry.uris.add(uri);
		const subscribers = this.#subscribers.get(uri) ?? new Set();
		this.#subscribers.set(uri, subscribers.add(id));
		return true;
	}

	removeSubscription(id: string, uri: string): boolean {
		const entry = this.#find(id);
		if (entry?.uris?.delete(uri) !== true) return false;
		this.#unsubscribe(id, uri, entry);
		return true;
	}

	getSubscriptions(uri: string): string[] {
		const now = this.#clock.monotonic();
		const ids: string[] = [];
		// Many may have expired at once; the sweep removes them.
		for (const id of this.#subscribers.get(uri) ?? []) {
			const entry = this.#entries.get(id);
			if (entry !== undefined && isLiving(entry, now)) ids.push(id);
		}
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
		this.#count(entry, memoryOfValue(key, value) - memoryOfValue(key, entry.state?.get(key)?.value));
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
			if (serial <= last || record.kind !== undefined || !this.#isLiving(entry)) continue;
			if (records.length >= Math.max(1, limit)) return { records, cursor: String(last) };
			records.push(join(entry));
			last = serial;
		}
		return { records };
	}

	override acquireLease(name: string, holder: string, ttlMs: number): boolean {
		const now = this.#clock.monotonic();
		const lease = this.#leases.get(name);
		if (lease !== undefined && lease.holder !== holder && now < lease.until) return false;
		this.#leases.set(name, { holder, until: now + ttlMs });
		this.#sweepLater();
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
		this.#unused.clear();
		this.#subscribers.clear();
		this.#owned.clear();
		this.#records = 0;
		this.#bytes = 0;
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
		if (entry === undefined || !isOver(entry, this.#clock.monotonic())) return entry;
		this.#remove(id, entry);
		return undefined;
	}

	#isLiving(entry: Entry): boolean {
		return isLiving(entry, this.#clock.monotonic());
	}

	#livingOf(principal: string, kind: string | undefined): Set<Entry> {
		const living = new Set<Entry>();
		for (const id of this.#owned.get(principal) ?? []) {
			const entry = this.#find(id);
			if (entry !== undefined && entry.record.kind === kind) living.add(entry);
		}
		return living;
	}

	#remove(id: string, entry: Entry): void {
		this.#entries.delete(id);
		this.#unused.delete(entry);
		this.#unsubscribeAll(id, entry);
		this.#bytes -= entry.bytes;
		const { principal, kind } = entry.record;
		if (kind !== undefined) this.#records--;
		const owned = principal === undefined ? undefined : this.#owned.get(principal);
		if (principal !== undefined && owned?.delete(id) && owned.size === 0) this.#owned.delete(principal);
	}

	#unsubscribeAll(id: string, entry: Entry): void {
		for (const uri of entry.uris ?? []) this.#unsubscribe(id, uri, entry);
		entry.uris = undefined;
	}

	#unsubscribe(id: string, uri: string, entry: Entry): void {
		this.#count(entry, -memoryOf(uri));
		const subscribers = this.#subscribers.get(uri);
		if (subscribers?.delete(id) && subscribers.size === 0) this.#subscribers.delete(uri);
	}

	/** Counts `bytes` more of an entry. Throws `limit` where that is too much. */
	#count(entry: Entry, bytes: number): void {
		const isTooMuch = () => this.#maxBytes > 0 && bytes > 0 && this.#bytes + bytes > this.#maxBytes;
		if (isTooMuch()) this.#freeUntil(() => !isTooMuch());
		if (isTooMuch())
			throw new SessionManagerError(
				'limit',
				`The store may hold ${this.#maxBytes} bytes of text; raise maxBytes or end some sessions.`,
			);
		entry.bytes += bytes;
		this.#bytes += bytes;
	}

	/** Throws `limit` where there is no room for `record` even after what has expired is freed. */
	#makeRoom(record: SessionRecord): void {
		if (this.#maxSessions === 0) return;
		const { kind } = record;
		const most = roomFor(record, this.#maxSessions);
		const isFull = () => (kind === undefined ? this.#unused.size : this.#records) >= most;
		if (isFull()) this.#freeUntil(() => !isFull());
		if (isFull()) throw storeLimit(most, kind);
	}

	/**
	 * Frees what has expired before something is refused, until `isEnough`. All sessions are looked through at most once
	 * a second: a client that fills the store asks often.
	 */
	#freeUntil(isEnough: () => boolean): void {
		const now = this.#clock.monotonic();
		if (now - this.#searchedAt < SEARCH_INTERVAL_MS) return;
		let freed = 0;
		for (const entry of this.#entries.values()) {
			freed += this.#free(entry, now);
			// Some more than needed, so that the next ones need not search.
			if (freed >= SWEPT_AT_ONCE && isEnough()) return;
		}
		this.#searchedAt = now;
	}

	/** Frees what has expired of an entry at `now`. Returns how many things that were. */
	#free(entry: Entry, now: number): number {
		if (isLiving(entry, now)) return 0;
		const freed = 1 + (entry.uris?.size ?? 0);
		if (isOver(entry, now)) this.#remove(entry.id, entry);
		else {
			this.#unused.delete(entry);
			this.#unsubscribeAll(entry.id, entry);
		}
		return freed;
	}

	#sweep(): void {
		const visit = (entry: Entry) => 1 + this.#free(entry, this.#clock.monotonic());
		visitInTurns(this.#clock, this.#entries.values(), SWEPT_AT_ONCE, visit, () => this.#sweepLeases());
	}

	#sweepLeases(): void {
		const visit = ([name, { until }]: readonly [string, { readonly until: number }]) => {
			if (until <= this.#clock.monotonic()) this.#leases.delete(name);
			return 1;
		};
		visitInTurns(this.#clock, this.#leases, SWEPT_AT_ONCE, visit, () => {
			this.#stopSweep = undefined;
			if (this.#entries.size + this.#leases.size > 0) this.#sweepLater();
		});
	}

	/** Sets one timer for all sessions and leases, only while there are any. */
	#sweepLater(): void {
		if (this.#closed) return;
		this.#stopSweep ??= this.#clock.after(this.#sweepIntervalMs, () => this.#sweep());
	}
}

function isLiving(entry: Entry, now: number): boolean {
	return entry.ended === undefined && now < endOf(entry);
}

/** Returns whether nothing of the session is to be kept any longer. */
function isOver(entry: Entry, now: number): boolean {
	return now >= endOf(entry) + (entry.record.keepEndedMs ?? 0);
}

/** Returns when the session ended, or will end if it is not used again, on the monotonic clock. */
function endOf({ record, usedAt, endsAt, ended }: Entry): number {
	return ended?.elapsed ?? Math.min(usedAt + (record.idleTtlMs ?? Number.POSITIVE_INFINITY), endsAt);
}

/** Returns whom a session counts for when there is no room. */
function ownerOf({ principal, remoteAddress }: SessionRecord): Pick<Entry, 'owner' | 'isVerified'> {
	const isVerified = principal !== undefined && remoteAddress === undefined;
	return { isVerified, owner: isVerified ? `principal ${principal}` : `address ${remoteAddress ?? ''}` };
}

function sizeOf(key: string, value: string | undefined): number {
	return value === undefined ? 0 : Buffer.byteLength(key) + Buffer.byteLength(value);
}

function split(record: SessionRecord): Pick<Entry, 'record' | 'details' | 'claims'> {
	const { initializeParams, serverCapabilities, claims, ...rest } = record;
	return {
		record: rest,
		details: sharedText(JSON.stringify({ initializeParams, serverCapabilities })),
		claims: claims && JSON.stringify(claims),
	};
}

/** What of a patch changes {@link Details}. */
const ofDetails = ['initializeParams', 'serverCapabilities', 'clientInfo', 'clientCapabilities'] as const;

function changesDetails(patch: SessionPatch): boolean {
	return ofDetails.some((field) => field in patch);
}

function join({ record, details, claims }: Entry): SessionRecord {
	const joined = { ...record, ...(parseShared(details) as Details) };
	return claims === undefined ? joined : { ...joined, claims: JSON.parse(claims) as JsonObject };
}

/** Returns how much memory a text takes: one byte for each character, or two where one of them needs it. */
function memoryOf(text: string): number {
	return Buffer.byteLength(text) === text.length ? text.length : 2 * text.length;
}

function memoryOfValue(key: string, value: string | undefined): number {
	return value === undefined ? 0 : memoryOf(key) + memoryOf(value);
}
