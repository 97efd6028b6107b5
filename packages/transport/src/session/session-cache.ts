import type { MaybePromise, SessionRecord } from '@holdfast/session-manager';
import { isThenable, whenReady } from '@holdfast/session-manager/custom';
import { visitInTurns } from '@holdfast/session-manager/internal';
import type { ClusterBus } from '../cluster/cluster-bus.js';
import type { NodeMonitor } from '../cluster/node-monitor.js';
import type { Connections } from '../http/connections.js';
import type { NodeContext } from '../node/node-context.js';
import { PacedQueue } from '../node/paced-queue.js';
import type { LiveServerPool } from './live-server-pool.js';
import type { LocalSession } from './local-session.js';
import { SweepTimer } from './sweep-timer.js';

/** How long after a failure a doubtful session is read from the store again, in milliseconds. */
const CONFIRM_RETRY_MS = 1_000;
/**
 * The store hears of use at least so often while a session is used, and so confirms that it still is, in milliseconds.
 */
const MAX_TOUCH_INTERVAL_MS = 60_000;
/** How long streams outlive their session: calls that its end finds running get an error on them, in milliseconds. */
const STREAMS_OUTLIVE_MS = 2_000;
/**
 * How much longer than that streams may live whose session is not used any more, so that they need not hear of each
 * use: at most this part of its idle TTL, and at most so many milliseconds.
 */
const UNTOLD_PART = 1 / 4;
const MAX_UNTOLD_MS = 10 * 60_000;
/** The store confirms a session that is open here and that nobody uses at least so often, in milliseconds. */
const CONFIRM_MS = 5 * 60_000;
/** How many sessions a sweep looks at in one turn of the event loop. */
const SWEPT_AT_ONCE = 1_000;

/** When unused sessions are swept, and end. */
export interface SessionCacheOptions {
	/** The longest time between two sweeps, in milliseconds. */
	readonly sweepIntervalMs: number;
	/** How long a session must be unused to count as idle, in milliseconds; 0: never. */
	readonly suspendAfterMs: number;
	/** How long sessions live that are not used any more, in milliseconds; 0: for ever. */
	readonly idleTtlMs: number;
}

/** A record that is being read. */
interface Lookup {
	found: Promise<LocalSession | undefined> | undefined;
	/** Whether there was news of the session since the reading began, so that what is read may be old. */
	isStale: boolean;
}

/**
 * The sessions that this node knows, so that their requests need no read of the store. A record is used as it is until
 * another node reports a change, the session may have expired, or messages between nodes may have been missed.
 */
export class SessionCache implements Iterable<LocalSession> {
	/** Called with a session that the store no longer knows. */
	onexpired: ((session: LocalSession) => void) | undefined;
	/** Called with a session that is idle. */
	onidle: ((session: LocalSession) => MaybePromise<unknown>) | undefined;
	readonly #context: NodeContext;
	readonly #bus: ClusterBus;
	readonly #monitor: NodeMonitor;
	readonly #connections: Connections;
	readonly #liveServers: LiveServerPool;
	readonly #makeSession: (record: SessionRecord) => LocalSession;
	readonly #suspendAfterMs: number;
	readonly #idleTtlMs: number;
	readonly #sessions = new Map<string, LocalSession>();
	/** Lookups under way, so that simultaneous requests share one session. */
	readonly #lookups = new Map<string, Lookup>();
	/** Those of which the store is to be asked or told without a request that waits for it. */
	readonly #toConfirm: PacedQueue<LocalSession>;
	readonly #toTouch: PacedQueue<LocalSession>;
	readonly #toSuspend: PacedQueue<LocalSession>;
	readonly #sweepTimer: SweepTimer;
	/** Whether a sweep is under way, and whether another was due meanwhile. */
	#isSweeping = false;
	#sweepsAgain = false;

	constructor(
		context: NodeContext,
		bus: ClusterBus,
		monitor: NodeMonitor,
		connections: Connections,
		liveServers: LiveServerPool,
		makeSession: (record: SessionRecord) => LocalSession,
		options: SessionCacheOptions,
	) {
		this.#context = context;
		this.#bus = bus;
		this.#monitor = monitor;
		this.#connections = connections;
		this.#liveServers = liveServers;
		this.#makeSession = makeSession;
		this.#suspendAfterMs = options.suspendAfterMs;
		this.#idleTtlMs = options.idleTtlMs;
		this.#toConfirm = new PacedQueue(context, (session) => this.#confirm(session));
		this.#toTouch = new PacedQueue(context, (session) => (session.ended ? undefined : this.#touch(session)));
		// It may have been used while it waited.
		const suspend = (session: LocalSession) =>
			!session.ended && this.#isIdle(session) ? this.onidle?.(session) : undefined;
		this.#toSuspend = new PacedQueue(context, suspend);
		this.#sweepTimer = new SweepTimer(context.clock, options.sweepIntervalMs, () => this.#sweep());
		bus.onGap(() => this.#distrust());
		bus.on('session-changed', ({ sessionId }) => {
			this.doubt(sessionId);
			const session = this.#sessions.get(sessionId);
			// It is not used before the store has said what it is now, so the reply need not wait for that.
			if (session !== undefined) context.background(() => this.reload(session));
		});
	}

	/** How many sessions this node knows. */
	get size(): number {
		return this.#sessions.size;
	}

	[Symbol.iterator](): Iterator<LocalSession> {
		return this.#sessions.values();
	}

	/** Returns the session if this node knows it, confirmed or not. */
	get(id: string): LocalSession | undefined {
		return this.#sessions.get(id);
	}

	/** Adds a session. */
	add(session: LocalSession): void {
		this.#sessions.set(session.id, session);
		this.#sweepTimer.by(session.expiresAt);
	}

	/**
	 * Tells the streams when their session ends, which was in use at `now`, so that nothing is kept of them after that;
	 * not where what they were told last is still true. The store may not know yet that it is in use.
	 */
	expireStreams(session: LocalSession, now = this.#context.clock.now()): void {
		const { record, expiresAt } = session;
		const { streams, clock } = this.#context;
		const idleTtlMs = this.#idleTtlMs || Number.POSITIVE_INFINITY;
		const { endsAt = Number.POSITIVE_INFINITY } = record;
		const end = Math.min(endsAt, Math.max(expiresAt, record.lastUsedAt + idleTtlMs));
		if (end === Number.POSITIVE_INFINITY) return;
		const untoldMs = Math.min(MAX_UNTOLD_MS, idleTtlMs * UNTOLD_PART);
		const elapsed = clock.monotonic();
		const toldMs = session.streamsEndAt - elapsed;
		const least = Math.max(0, end - now);
		const most = Math.max(0, Math.min(end + untoldMs, endsAt) - now);
		if (toldMs >= least && toldMs <= most) return;
		session.streamsEndAt = elapsed + most;
		this.#context.background(async () => {
			try {
				await streams.expireIn(session.id, most + STREAMS_OUTLIVE_MS);
			} catch (error) {
				session.streamsEndAt = Number.NaN;
				throw error;
			}
		});
	}

	/** Removes a session, unless another object has taken its place. */
	delete(session: LocalSession): void {
		if (this.#sessions.get(session.id) === session) this.#sessions.delete(session.id);
	}

	/**
	 * Returns the session and counts as its use; reads the store only where the cache does not know. `undefined` when the
	 * session is unknown, expired or ended.
	 */
	find(id: string): MaybePromise<LocalSession | undefined> {
		const known = this.#sessions.get(id);
		if (known === undefined) return this.#load(id);
		const now = this.#context.clock.now();
		// Once a second keeps the order of use exact enough.
		if (now - known.usedAt > 1_000) known.keepLiveServer();
		if (known.expiresAt <= now || known.doubtful || !this.#monitor.isCurrent) {
			return whenReady(this.reload(known), (there) => {
				if (there) this.#use(known, now);
				return there ? known : undefined;
			});
		}
		this.#use(known, now);
		return known;
	}

	/** There is news of a session: what was read of it, or is being read, may be old. */
	doubt(id: string): void {
		const lookup = this.#lookups.get(id);
		if (lookup !== undefined) lookup.isStale = true;
		const session = this.#sessions.get(id);
		if (session !== undefined) session.markDoubtful();
	}

	/** Takes in what the store says of a session now. `false` when the store no longer knows it. */
	reload(session: LocalSession): MaybePromise<boolean> {
		const { doubts } = session;
		return whenReady(this.#context.info.read(session.id), (record): MaybePromise<boolean> => {
			if (session.ended) return false;
			if (record === undefined) {
				this.onexpired?.(session);
				return false;
			}
			// There was news while the record was read: it may be older than that.
			if (session.doubts !== doubts) return this.reload(session);
			const { expiresAt } = session;
			session.confirm(record, this.#context.clock.monotonic());
			if (session.expiresAt !== expiresAt) this.expireStreams(session);
			this.#sweepTimer.by(session.expiresAt);
			return true;
		});
	}

	/** Clears the cache and stops the sweeps. */
	close(): void {
		this.#sweepTimer.close();
		this.#sessions.clear();
		for (const queue of [this.#toConfirm, this.#toTouch, this.#toSuspend]) queue.clear();
	}

	/** Messages may have been missed, so every session must be confirmed before its next use. */
	#distrust(): void {
		for (const lookup of this.#lookups.values()) lookup.isStale = true;
		for (const session of this.#sessions.values()) session.markDoubtful();
		visitInTurns(this.#context.clock, this.#sessions.values(), SWEPT_AT_ONCE, (session) => {
			// Those with something open would not ask by themselves.
			if (session.doubtful && (session.busy || this.#isConnected(session))) this.#toConfirm.add(session);
			return 1;
		});
	}

	#isConnected(session: LocalSession): boolean {
		return this.#connections.has(session.id);
	}

	#use(session: LocalSession, now: number): void {
		if (this.#isToTouch(session, now)) this.#context.background(() => this.#touch(session));
	}

	/** The session is used at `now`. Returns whether the store is to hear of it. */
	#isToTouch(session: LocalSession, now: number): boolean {
		if (session.record.status === 'suspended') this.#resume(session);
		const { idleTtlMs, transport } = session.record;
		const isTouched = transport !== 'sse' || session.isKept(now);
		const intervalMs = Math.min((idleTtlMs ?? Number.POSITIVE_INFINITY) / 10, MAX_TOUCH_INTERVAL_MS);
		return session.use(now, isTouched ? intervalMs : Number.POSITIVE_INFINITY);
	}

	/** Tells the store and the streams when the session was used last. */
	#touch(session: LocalSession): MaybePromise<unknown> {
		this.expireStreams(session);
		// A session that the store does not know has ended without our hearing of it.
		return whenReady(this.#context.info.touch(session.id, session.usedAt), (known) => known || this.reload(session));
	}

	/** Makes a suspended session active again. */
	#resume(session: LocalSession): void {
		session.refresh({ ...session.record, status: 'active' });
		this.#context.background(() =>
			whenReady(this.#context.info.update(session.id, { status: 'active' }, 'suspended'), (isRestored) => {
				// Of several nodes that use it at the same time, one restores it.
				if (isRestored) this.#context.observation?.emit({ type: 'session-restored', sessionId: session.id });
			}),
		);
	}

	#load(id: string): MaybePromise<LocalSession | undefined> {
		const known = this.#lookups.get(id);
		if (known?.found !== undefined) return known.found;
		const lookup: Lookup = { found: undefined, isStale: false };
		const read = this.#read(id, lookup);
		if (!isThenable(read)) return read && this.#addLoaded(read);
		this.#lookups.set(id, lookup);
		lookup.found = Promise.resolve(read)
			.then((record) => record && (this.#sessions.get(id) ?? this.#addLoaded(record)))
			.finally(() => this.#lookups.delete(id));
		return lookup.found;
	}

	/** Reads a record, again where there was news of the session meanwhile. */
	#read(id: string, lookup: Lookup): MaybePromise<SessionRecord | undefined> {
		return whenReady(this.#bus.listen(), () => {
			lookup.isStale = false;
			return whenReady(this.#context.info.read(id), (record) => (lookup.isStale ? this.#read(id, lookup) : record));
		});
	}

	#addLoaded(record: SessionRecord): LocalSession {
		const session = this.#makeSession(record);
		// Whoever used it has told the streams when it ends.
		this.add(session);
		this.#use(session, this.#context.clock.now());
		return session;
	}

	/** Reads a session from the store unless that was done meanwhile, and a doubtful one again where that fails. */
	#confirm(session: LocalSession): MaybePromise<unknown> {
		const { clock } = this.#context;
		const isExpired = session.expiresAt <= clock.now();
		if (session.ended || !(session.doubtful || isExpired || this.#isOverdue(session))) return;
		const done = this.reload(session);
		if (!isThenable(done)) return;
		return Promise.resolve(done).catch((error: unknown) => {
			clock.after(CONFIRM_RETRY_MS, () => {
				if (session.doubtful && !session.ended && !this.#context.closed) this.#toConfirm.add(session);
			});
			throw error;
		});
	}

	/** Whether the store has not confirmed the session for a long time. */
	#isOverdue(session: LocalSession): boolean {
		return this.#context.clock.monotonic() - session.confirmedAt >= CONFIRM_MS;
	}

	#isIdle(session: LocalSession): boolean {
		return this.#suspendAfterMs > 0 && this.#context.clock.now() - session.usedAt >= this.#suspendAfterMs;
	}

	/** Looks at all sessions, and again where that was due meanwhile. */
	#sweep(): void {
		if (this.#context.closed) return;
		if (this.#isSweeping) {
			this.#sweepsAgain = true;
			return;
		}
		const { clock } = this.#context;
		this.#isSweeping = true;
		let nextExpiry = Number.POSITIVE_INFINITY;
		const visit = (session: LocalSession) => {
			const now = clock.now();
			this.#sweepOne(session, now);
			if (session.expiresAt > now) nextExpiry = Math.min(nextExpiry, session.expiresAt);
			return 1;
		};
		visitInTurns(clock, this.#sessions.values(), SWEPT_AT_ONCE, visit, () => {
			this.#isSweeping = false;
			if (this.#context.closed) return;
			// Live servers that were busy when there were too many may be idle now.
			this.#liveServers.trim();
			if (this.#sessions.size > 0) this.#sweepTimer.by(this.#sweepsAgain ? clock.now() : nextExpiry);
			this.#sweepsAgain = false;
		});
	}

	/** Keeps a busy session alive, ends an expired one, and evicts one that this node has nothing of but the record. */
	#sweepOne(session: LocalSession, now: number): void {
		if (session.isKept(now)) {
			if (this.#isToTouch(session, now)) this.#toTouch.add(session);
		} else if (session.expiresAt <= now) this.#toConfirm.add(session);
		else if (!session.busy && !session.hasLiveServer && !this.#isConnected(session)) this.delete(session);
		else if (this.#isOverdue(session)) this.#toConfirm.add(session);
		else if (this.#isIdle(session)) this.#toSuspend.add(session);
	}
}
