import type { SessionRecord } from '@holdfast/session-manager';
import type { ClusterBus } from '../cluster/cluster-bus.js';
import type { NodeMonitor } from '../cluster/node-monitor.js';
import type { Connections } from '../http/connections.js';
import { DeadlineQueue } from '../node/deadline-queue.js';
import type { NodeContext } from '../node/node-context.js';
import { ErrorCode } from '../protocol/json-rpc.js';
import type { LiveServerPool } from './live-server-pool.js';
import type { LocalSession } from './local-session.js';
import type { SessionCache } from './session-cache.js';

/**
 * How long running requests of an ending session have for a response of their own, such as that of the tool which ended
 * it, in milliseconds.
 */
const END_GRACE_MS = 50;
/** The stream of HTTP+SSE carries such responses too, from whichever node, and is closed then, in milliseconds. */
const CLOSE_SSE_AFTER_MS = 70;
/**
 * When the connections of a session that ended are closed, and its streams deleted, in milliseconds: until then they
 * may carry such responses, from whichever node.
 */
const CLOSE_AFTER_MS = 500;
/** How much of a reason is kept, and told to every node, in characters. */
const MAX_REASON_LENGTH = 256;

/** A session that ended here lately. */
interface Ended {
	readonly id: string;
	readonly deletesStreams: boolean;
}

/** Ends and suspends sessions, on this node and, through the bus, on every other. */
export class SessionLifecycle {
	/** Called with the stored id of whatever ends, on whichever node, before anything of it is freed here. */
	onended: ((id: string) => void) | undefined;
	readonly #context: NodeContext;
	readonly #bus: ClusterBus;
	readonly #monitor: NodeMonitor;
	readonly #connections: Connections;
	readonly #sessions: SessionCache;
	readonly #suspendAfterMs: number;
	/** Ended sessions with running calls, and what is done to these. */
	readonly #finishing: DeadlineQueue<() => void>;
	readonly #closingSse: DeadlineQueue<string>;
	readonly #closing: DeadlineQueue<Ended>;
	/** Ends that other nodes are still being told of. */
	readonly #ending = new Set<Promise<void>>();

	/** A session that no node uses for `suspendAfterMs` is suspended. */
	constructor(
		context: NodeContext,
		bus: ClusterBus,
		monitor: NodeMonitor,
		connections: Connections,
		liveServers: LiveServerPool,
		sessions: SessionCache,
		suspendAfterMs: number,
	) {
		this.#context = context;
		this.#bus = bus;
		this.#monitor = monitor;
		this.#connections = connections;
		this.#sessions = sessions;
		this.#suspendAfterMs = suspendAfterMs;
		this.#finishing = new DeadlineQueue(context.clock, END_GRACE_MS, (finish) => finish());
		this.#closingSse = new DeadlineQueue(context.clock, CLOSE_SSE_AFTER_MS, (id) => connections.closeAll(id));
		this.#closing = new DeadlineQueue(context.clock, CLOSE_AFTER_MS, (ended) => this.#closeStreams(ended));
		liveServers.onevict = (sessionId) => this.release(sessionId);
		sessions.onexpired = ({ id, record, expiresAt }) => {
			// Otherwise another node ended it, and has told of that.
			if (expiresAt <= context.clock.now()) this.#observeEnd(id, 'expired', record);
			this.#endHere(id, 'expired', true);
		};
		sessions.onidle = (session) => this.#suspendIfIdle(session);
		bus.on('session-ended', ({ sessionId, reason }) => this.#endHere(sessionId, reason, false));
		bus.on('session-suspended', ({ sessionId, connectionsToo }) => {
			const session = sessions.get(sessionId);
			if (session !== undefined) context.background(() => this.#suspendHere(session, connectionsToo));
		});
	}

	/** Leaves the streams of ended sessions alone. What runs in one is still ended. */
	close(): void {
		this.#closing.close();
	}

	/**
	 * Ends a session on every node. The calls that run in it get a moment for a response of their own. Resolves once no
	 * node serves the session any more; with `isAwaited: false` once the store knows of the end and has taken the message
	 * to the others, for a call that ends its own session.
	 */
	terminate(id: string, fullReason: string, isAwaited = true): Promise<void> {
		const ending = this.#terminate(id, fullReason, isAwaited);
		this.#ending.add(ending);
		const over = () => this.#ending.delete(ending);
		ending.then(over, over);
		return ending;
	}

	/** Resolves once every end that has begun is over. Never rejects. */
	async settled(): Promise<void> {
		await Promise.allSettled(this.#ending);
	}

	async #terminate(id: string, fullReason: string, isAwaited: boolean): Promise<void> {
		const reason = fullReason.slice(0, MAX_REASON_LENGTH);
		const known = this.#sessions.get(id);
		await known?.session.flush();
		if (await this.#context.info.end(id, this.#context.clock.now(), reason))
			this.#observeEnd(id, reason, known?.record);
		const ended = this.#endEverywhere(id, reason);
		if (isAwaited) await ended;
		// Whatever becomes of this node once the call is answered, the others hear of the end.
		else await this.#tellEnd(id, reason);
	}

	/** Tells every other node of an end, and resolves once the store has taken that. Never rejects. */
	async #tellEnd(sessionId: string, reason: string): Promise<void> {
		try {
			await this.#bus.tellAll({ type: 'session-ended', sessionId, reason });
		} catch (error) {
			this.#context.report(error);
		}
	}

	/**
	 * Ends the session that gives way to another, of `principal` or of all, on every node; does nothing where there is
	 * none.
	 */
	async endUnused(reason: string, principal?: string): Promise<void> {
		const id = await this.#context.info.endUnused(this.#context.clock.now(), reason, principal);
		if (id === undefined) return;
		this.#observeEnd(id, reason, this.#sessions.get(id)?.record);
		await this.#endEverywhere(id, reason);
	}

	/** Ends a session on every node, and erases everything that is stored of it, including its streams. */
	async erase(id: string): Promise<void> {
		const known = this.#sessions.get(id);
		if (await this.#context.info.delete(id)) this.#observeEnd(id, 'erased', known?.record);
		await this.#endEverywhere(id, 'erased');
		await this.#context.streams.delete(id);
	}

	/**
	 * Frees what every node holds of a session and keeps it in the store; its next request resumes it. Returns `false`
	 * when it is unknown, not active, in use here, or an HTTP+SSE session, which cannot outlive its stream.
	 */
	async suspend(id: string): Promise<boolean> {
		const { info } = this.#context;
		const known = this.#sessions.get(id);
		if (known?.busy) return false;
		const record = known?.record ?? (await info.read(id));
		if (record === undefined || record.transport === 'sse') return false;
		await known?.session.flush();
		if (!(await info.update(id, { status: 'suspended' }, 'active'))) return false;
		this.#observe('session-suspended', id);
		if (known !== undefined) await this.#suspendHere(known, true);
		await this.#bus.tellAll({ type: 'session-suspended', sessionId: id, connectionsToo: true });
		return true;
	}

	/**
	 * Frees the live server of a session on this node; the next request makes it again. Returns `false` when it is busy.
	 */
	async release(id: string): Promise<boolean> {
		const session = this.#sessions.get(id);
		if (session === undefined) return true;
		const released = await session.release();
		if (released && !this.#isConnected(id)) this.#sessions.delete(session);
		return released;
	}

	/**
	 * Frees what this node holds of an idle session, unless it is in use. Where no other node uses it either, it is
	 * suspended.
	 */
	async #suspendIfIdle(session: LocalSession): Promise<void> {
		const { id } = session;
		if (!(await session.release()) || this.#isConnected(id) || session.record.transport === 'sse') return;
		this.#sessions.delete(session);
		const { info, clock } = this.#context;
		const record = await info.read(id);
		// Another node may have used it.
		if (record === undefined || clock.now() - record.lastUsedAt < this.#suspendAfterMs) return;
		if (!(await info.update(id, { status: 'suspended' }, 'active'))) return;
		this.#observe('session-suspended', id);
		await this.#bus.tellAll({ type: 'session-suspended', sessionId: id, connectionsToo: false });
		// A request came meanwhile.
		if (this.#sessions.get(id) === undefined) return;
		if (await info.update(id, { status: 'active' }, 'suspended')) this.#observe('session-restored', id);
	}

	/** Frees what this node holds of a suspended session. Where it is in use here after all, it becomes active again. */
	async #suspendHere(session: LocalSession, connectionsToo: boolean): Promise<void> {
		if (session.busy || (!connectionsToo && this.#isConnected(session.id))) {
			if (await this.#context.info.update(session.id, { status: 'active' }, 'suspended'))
				this.#observe('session-restored', session.id);
			return;
		}
		this.#sessions.delete(session);
		this.#connections.closeAllForReconnect(session.id);
		await session.release();
	}

	#observe(type: 'session-suspended' | 'session-restored', sessionId: string): void {
		this.#context.observation?.emit({ type, sessionId });
	}

	/** Tells whoever watches the node that the session is over. */
	#observeEnd(sessionId: string, reason: string, record: SessionRecord | undefined): void {
		const { observation, clock } = this.#context;
		// Nobody was told that it began.
		if (record?.status === 'opening') return;
		observation?.emit({
			type: 'session-ended',
			sessionId,
			reason,
			...(record !== undefined && {
				protocolVersion: record.protocolVersion,
				durationMs: Math.max(0, clock.now() - record.createdAt),
			}),
		});
	}

	#isConnected(id: string): boolean {
		return this.#connections.has(id);
	}

	/** Resolves once no node serves the session. */
	async #endEverywhere(id: string, reason: string): Promise<void> {
		this.#endHere(id, reason, true);
		await this.#monitor.confirmAll({ type: 'session-ended', sessionId: id, reason });
	}

	/** Ends a session on this node: nothing is begun in it from now on. The node that ended it deletes its streams. */
	#endHere(id: string, reason: string, deletesStreams: boolean): void {
		this.onended?.(id);
		// What is being read of it may be older than its end.
		this.#sessions.doubt(id);
		const session = this.#sessions.get(id);
		if (session !== undefined) {
			this.#sessions.delete(session);
			session.markEnded(reason);
			if (session.record.transport === 'sse') this.#closingSse.add(id);
			else this.#connections.get(id)?.close();
			const finish = () =>
				this.#context.background(() => session.finish(ErrorCode.SESSION_NOT_FOUND, `The session ended: ${reason}`));
			if (session.running === 0) finish();
			else this.#finishing.add(finish);
		}
		if ((session !== undefined || deletesStreams) && !this.#context.closed) this.#closing.add({ id, deletesStreams });
	}

	#closeStreams({ id, deletesStreams }: Ended): void {
		this.#connections.closeAll(id);
		if (deletesStreams) this.#context.background(() => this.#context.streams.delete(id));
	}
}
