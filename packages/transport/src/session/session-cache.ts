import type { MaybePromise, SessionRecord } from '@holdfast/session-manager';
import { isThenable, whenReady } from '@holdfast/session-manager/custom';
import type { ClusterBus } from '../cluster/cluster-bus.js';
import type { Connections } from '../http/connections.js';
import type { NodeContext } from '../node/node-context.js';
import type { LiveServerPool } from './live-server-pool.js';
import type { LocalSession } from './local-session.js';
import { SweepTimer } from './sweep-timer.js';

/** How long after a failure a doubtful session is read from the store again, in milliseconds. */
const CONFIRM_RETRY_MS = 1_000;
/** While a session is used, the store is told at least this often, in milliseconds. */
const MAX_TOUCH_INTERVAL_MS = 60_000;

/** When unused sessions are swept. */
export interface SessionCacheOptions {
	/** The longest time between two sweeps, in milliseconds. */
	readonly sweepIntervalMs: number;
	/** How long a session must be unused to count as idle, in milliseconds; 0: never. */
	readonly suspendAfterMs: number;
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
	readonly #connections: Connections;
	readonly #liveServers: LiveServerPool;
	readonly #makeSession: (record: SessionRecord) => LocalSession;
	readonly #suspendAfterMs: number;
	readonly #sessions = new Map<string, LocalSession>();
	/** Pending reads, so that simultaneous requests share one session. */
	readonly #finding = new Map<string, Promise<LocalSession | undefined>>();
	readonly #sweepTimer: SweepTimer;

	constructor(
		context: NodeContext,
		bus: ClusterBus,
		connections: Connections,
		liveServers: LiveServerPool,
		makeSession: (record: SessionRecord) => LocalSession,
		options: SessionCacheOptions,
	) {
		this.#context = context;
		this.#bus = bus;
		this.#connections = connections;
		this.#liveServers = liveServers;
		this.#makeSession = makeSession;
		this.#suspendAfterMs = options.suspendAfterMs;
		this.#sweepTimer = new SweepTimer(context.clock, options.sweepIntervalMs, () => this.#sweep());
		bus.ongap = () => this.#distrust();
		bus.on('session-changed', ({ sessionId }) => {
			const session = this.#sessions.get(sessionId);
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
		if (known.expiresAt <= now || known.doubtful) {
			return whenReady(this.reload(known), (exists) => {
				if (exists) this.#use(known, now);
				return exists ? known : undefined;
			});
		}
		this.#use(known, now);
		return known;
	}

	/** Reads a session from the store again. Returns `false` when the store no longer knows it. */
	reload(session: LocalSession): MaybePromise<boolean> {
		return whenReady(this.#context.info.read(session.id), (record) => {
			if (record === undefined) this.onexpired?.(session);
			else {
				session.refresh(record);
				this.#sweepTimer.by(session.expiresAt);
			}
			return record !== undefined;
		});
	}

	/** Clears the cache and stops the sweeps. */
	close(): void {
		this.#sweepTimer.close();
		this.#sessions.clear();
	}

	/** Messages may have been missed, so every session must be confirmed before its next use. */
	#distrust(): void {
		for (const session of this.#sessions.values()) {
			session.doubtful = true;
			// A session in use may get no further request that would confirm it.
			if (session.busy || this.#isConnected(session)) void this.#confirm(session);
		}
	}

	#isConnected(session: LocalSession): boolean {
		return this.#connections.of(session.id).size > 0;
	}

	#use(session: LocalSession, now: number): void {
		session.usedAt = now;
		if (session.record.status === 'suspended') this.#resume(session);
		const { idleTtlMs, transport } = session.record;
		if (transport === 'sse' && !session.isKept(now)) return;
		if (idleTtlMs === undefined || now - session.touchedAt < Math.min(idleTtlMs / 10, MAX_TOUCH_INTERVAL_MS)) return;
		session.touched(now);
		this.#context.background(() =>
			// A client of HTTP+SSE learns of the end of its session only by the end of its stream.
			whenReady(
				this.#context.info.touch(session.id, now),
				(known) => known || transport !== 'sse' || this.reload(session),
			),
		);
	}

	/** Makes a suspended session active again. */
	#resume(session: LocalSession): void {
		session.refresh({ ...session.record, status: 'active' });
		this.#context.background(() => this.#context.info.update(session.id, { status: 'active' }, 'suspended'));
	}

	#load(id: string): MaybePromise<LocalSession | undefined> {
		const finding = this.#finding.get(id);
		if (finding !== undefined) return finding;
		const read = whenReady(this.#bus.listen(), () => this.#context.info.read(id));
		if (!isThenable(read)) return read && this.#addLoaded(read);
		const found = Promise.resolve(read)
			.then((record) => record && (this.#sessions.get(id) ?? this.#addLoaded(record)))
			.finally(() => this.#finding.delete(id));
		this.#finding.set(id, found);
		return found;
	}

	#addLoaded(record: SessionRecord): LocalSession {
		const session = this.#makeSession(record);
		this.add(session);
		this.#use(session, this.#context.clock.now());
		return session;
	}

	/** Reads a doubtful session from the store, and tries again while that fails. */
	async #confirm(session: LocalSession): Promise<void> {
		try {
			await this.reload(session);
		} catch (error) {
			this.#context.report(error);
			this.#context.clock.after(CONFIRM_RETRY_MS, () => {
				if (session.doubtful && !session.ended && !this.#context.closed) void this.#confirm(session);
			});
		}
	}

	/** Keeps busy sessions alive, ends expired ones, and evicts those that this node has nothing of but the record. */
	#sweep(): void {
		if (this.#context.closed) return;
		const now = this.#context.clock.now();
		let nextExpiry = Number.POSITIVE_INFINITY;
		for (const session of this.#sessions.values()) {
			if (session.isKept(now)) this.#use(session, now);
			else if (session.expiresAt <= now) this.#context.background(() => this.reload(session));
			else if (!session.hasLiveServer && !this.#isConnected(session)) this.delete(session);
			else if (this.#suspendAfterMs > 0 && now - session.usedAt >= this.#suspendAfterMs)
				this.#context.background(() => this.onidle?.(session));
			if (session.expiresAt > now) nextExpiry = Math.min(nextExpiry, session.expiresAt);
		}
		// Live servers that were busy when there were too many may be idle now.
		this.#liveServers.trim();
		if (this.#sessions.size > 0) this.#sweepTimer.by(nextExpiry);
	}
}
