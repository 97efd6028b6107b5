import {
	type Clock,
	type InfoSessionManager,
	type MaybePromise,
	type SessionRecord,
	whenReady,
} from '@holdfast/session-manager';
import { toError } from './live-server.js';
import { inBackground, type NodeSession } from './node-session.js';

/** How long after a failure the store is asked again whether a session still is, in milliseconds. */
const CONFIRM_RETRY_MS = 1_000;
/** The store hears of use at least so often while a session is used, in milliseconds. */
const MAX_TOUCH_INTERVAL_MS = 60_000;
/** However many sessions expire one after another, they are looked through no more often, in milliseconds. */
const MIN_SWEEP_INTERVAL_MS = 25;

/** What a cache of sessions needs from the node. */
export interface SessionCacheHome {
	readonly info: InfoSessionManager;
	readonly clock: Clock;
	readonly closed: boolean;
	/** Begins to hear other nodes; what is read after that cannot change unheard. */
	listen(): MaybePromise<void>;
	makeSession(record: SessionRecord): NodeSession;
	/** The session was used now. */
	onuse(session: NodeSession): void;
	/** The store does not know the session any more. */
	onexpired(session: NodeSession): void;
	/** Nobody used the session for so long that it need not be in memory. */
	onidle(session: NodeSession): void;
	/** It is time to look for what can be freed. */
	onsweep(): void;
	report(error: Error): void;
}

/**
 * The sessions that this node knows, so that a request of one of them asks the store nothing. It believes what it read until it
 * hears otherwise from another node, the session may have expired, or it may have missed news.
 */
export class SessionCache implements Iterable<NodeSession> {
	readonly #home: SessionCacheHome;
	readonly #sweepIntervalMs: number;
	readonly #suspendAfterMs: number;
	readonly #sessions = new Map<string, NodeSession>();
	/** Lookups under way, so that simultaneous requests share one session. */
	readonly #finding = new Map<string, Promise<NodeSession | undefined>>();
	#stopSweep: (() => void) | undefined;
	/** When the next sweep is. */
	#sweepAt = Number.POSITIVE_INFINITY;

	/** A session that was not used for `suspendAfterMs` is idle; 0: never. */
	constructor(home: SessionCacheHome, sweepIntervalMs: number, suspendAfterMs: number) {
		this.#home = home;
		this.#sweepIntervalMs = sweepIntervalMs;
		this.#suspendAfterMs = suspendAfterMs;
	}

	get size(): number {
		return this.#sessions.size;
	}

	[Symbol.iterator](): Iterator<NodeSession> {
		return this.#sessions.values();
	}

	/** The session if this node knows it, believed or not. */
	get(id: string): NodeSession | undefined {
		return this.#sessions.get(id);
	}

	add(session: NodeSession): void {
		this.#sessions.set(session.id, session);
		this.#sweepBy(session.expiresAt);
	}

	delete(session: NodeSession): void {
		if (this.#sessions.get(session.id) === session) this.#sessions.delete(session.id);
	}

	/** The session with this id, used now, or `undefined` when it is unknown, expired or over. */
	find(id: string): MaybePromise<NodeSession | undefined> {
		const known = this.#sessions.get(id);
		if (known === undefined) return this.#load(id);
		const now = this.#home.clock.now();
		// The order of use is exact enough at once a second.
		if (now - known.usedAt > 1_000) this.#home.onuse(known);
		if (known.expiresAt <= now || known.doubtful) {
			return whenReady(this.reload(known), (there) => {
				if (there) this.#use(known, now);
				return there ? known : undefined;
			});
		}
		this.#use(known, now);
		return known;
	}

	/** Takes in what the store says of a session now. `false` when the store no longer knows it. */
	reload(session: NodeSession): MaybePromise<boolean> {
		return whenReady(this.#home.info.read(session.id), (record) => {
			if (record === undefined) this.#home.onexpired(session);
			else {
				session.refresh(record);
				this.#sweepBy(session.expiresAt);
			}
			return record !== undefined;
		});
	}

	/** News may have been missed: nothing is believed before the store has confirmed it. */
	distrust(): void {
		for (const session of this.#sessions.values()) {
			session.doubtful = true;
			// Those with something open would not ask by themselves.
			if (session.busy || session.connections.size > 0) void this.#confirm(session);
		}
	}

	/** Forgets everything. */
	close(): void {
		this.#stopSweep?.();
		this.#sessions.clear();
	}

	#use(session: NodeSession, now: number): void {
		session.usedAt = now;
		if (session.record.status === 'suspended') this.#resume(session);
		const { idleTtlMs, transport } = session.record;
		if (transport === 'sse' && !session.isKept(now)) return;
		if (idleTtlMs === undefined || now - session.touchedAt < Math.min(idleTtlMs / 10, MAX_TOUCH_INTERVAL_MS)) return;
		session.touched(now);
		this.#inBackground(() =>
			// A client of HTTP+SSE learns that its session is over by the end of its stream.
			whenReady(
				this.#home.info.touch(session.id, now),
				(known) => known || transport !== 'sse' || this.reload(session),
			),
		);
	}

	/** The first request after a suspension. */
	#resume(session: NodeSession): void {
		session.refresh({ ...session.record, status: 'active' });
		this.#inBackground(() => this.#home.info.update(session.id, { status: 'active' }, 'suspended'));
	}

	#load(id: string): MaybePromise<NodeSession | undefined> {
		const finding = this.#finding.get(id);
		if (finding !== undefined) return finding;
		const read = whenReady(this.#home.listen(), () => this.#home.info.read(id));
		if (!(read instanceof Promise)) return read && this.#admit(read);
		const found = read
			.then((record) => record && (this.#sessions.get(id) ?? this.#admit(record)))
			.finally(() => this.#finding.delete(id));
		this.#finding.set(id, found);
		return found;
	}

	#admit(record: SessionRecord): NodeSession {
		const session = this.#home.makeSession(record);
		this.add(session);
		this.#use(session, this.#home.clock.now());
		return session;
	}

	/** Has the store confirm a doubtful session, again and again while it is away. */
	async #confirm(session: NodeSession): Promise<void> {
		try {
			await this.reload(session);
		} catch (error) {
			this.#home.report(toError(error));
			this.#home.clock.after(CONFIRM_RETRY_MS, () => {
				if (session.doubtful && !session.ended && !this.#home.closed) void this.#confirm(session);
			});
		}
	}

	/** One timer for all sessions, set only while there are any: the next sweep is at `time`, if none is before it. */
	#sweepBy(time: number): void {
		if (this.#home.closed) return;
		const now = this.#home.clock.now();
		const at = Math.min(Math.max(time, now + MIN_SWEEP_INTERVAL_MS), now + this.#sweepIntervalMs);
		if (at >= this.#sweepAt) return;
		this.#stopSweep?.();
		this.#sweepAt = at;
		this.#stopSweep = this.#home.clock.after(at - now, () => {
			this.#stopSweep = undefined;
			this.#sweepAt = Number.POSITIVE_INFINITY;
			const nextExpiry = this.#sweep();
			if (this.#sessions.size > 0) this.#sweepBy(nextExpiry);
		});
	}

	/**
	 * Ends what has expired, keeps alive what runs, and forgets what this node need not know. Answers when the next session may
	 * expire of which something is open here.
	 */
	#sweep(): number {
		const now = this.#home.clock.now();
		let nextExpiry = Number.POSITIVE_INFINITY;
		for (const session of this.#sessions.values()) {
			if (session.isKept(now)) this.#use(session, now);
			else if (session.expiresAt <= now) this.#inBackground(() => this.reload(session));
			else if (!session.hasLiveServer && session.connections.size === 0) this.delete(session);
			else if (this.#suspendAfterMs > 0 && now - session.usedAt >= this.#suspendAfterMs) this.#home.onidle(session);
			if (session.expiresAt > now) nextExpiry = Math.min(nextExpiry, session.expiresAt);
		}
		this.#home.onsweep();
		return nextExpiry;
	}

	#inBackground(work: () => MaybePromise<unknown>): void {
		try {
			inBackground(work(), (error) => this.#home.report(error));
		} catch (error) {
			this.#home.report(toError(error));
		}
	}
}
