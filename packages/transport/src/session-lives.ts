import type { Clock, InfoSessionManager, StreamSessionManager } from '@holdfast/session-manager';
import { closeForNow } from './connection.js';
import { EndedSessions } from './ended-sessions.js';
import type { NodeBus } from './node-bus.js';
import { inBackground, type NodeSession } from './node-session.js';
import type { SessionCache } from './session-cache.js';

/** Running calls of a session that ends get so long for an answer of their own, such as that of the call that ended it. */
const END_GRACE_MS = 50;
/** The stream of HTTP+SSE carries such answers too, from whichever node, and is closed then. */
const END_OF_STREAM_MS = 70;

/** What the lives of sessions need from the node. */
export interface SessionLivesHome {
	readonly info: InfoSessionManager;
	readonly streams: StreamSessionManager;
	readonly clock: Clock;
	readonly retryMs: number;
	report(error: Error): void;
}

/** Ends and suspends sessions, on this node and, told by it, on every other. */
export class SessionLives {
	readonly #home: SessionLivesHome;
	readonly #sessions: SessionCache;
	readonly #bus: NodeBus;
	readonly #suspendAfterMs: number;
	readonly #ended: EndedSessions;

	constructor(home: SessionLivesHome, sessions: SessionCache, bus: NodeBus, suspendAfterMs: number) {
		this.#home = home;
		this.#sessions = sessions;
		this.#bus = bus;
		this.#suspendAfterMs = suspendAfterMs;
		this.#ended = new EndedSessions(home.clock, home.streams, (error) => home.report(error));
	}

	close(): void {
		this.#ended.close();
	}

	/** Ends a session on every node. The calls that run in it get a moment for an answer of their own. */
	async terminate(id: string, reason: string): Promise<void> {
		await this.#sessions.get(id)?.session.flush();
		await this.#home.info.end(id, this.#home.clock.now(), reason);
		await this.#tellOfEnd(id, reason);
	}

	/** Ends a session on every node and erases all that is kept of it, its streams too. */
	async erase(id: string): Promise<void> {
		await this.#home.info.delete(id);
		await this.#tellOfEnd(id, 'erased');
		await this.#home.streams.delete(id);
	}

	/**
	 * Frees what every node holds of a session and keeps it in the store; the next request resumes it. `false` when it is unknown,
	 * not active, or in use here. A session of HTTP+SSE lives by its stream and cannot be suspended.
	 */
	async suspend(id: string): Promise<boolean> {
		const known = this.#sessions.get(id);
		if (known?.busy) return false;
		const record = known?.record ?? (await this.#home.info.read(id));
		if (record === undefined || record.transport === 'sse') return false;
		await known?.session.flush();
		if (!(await this.#home.info.update(id, { status: 'suspended' }, 'active'))) return false;
		if (known !== undefined) await this.suspendHere(known, true);
		await this.#bus.tellAll({ type: 'session-suspended', sessionId: id, connectionsToo: true });
		return true;
	}

	/** Frees what this node holds of an idle session, unless it is in use; where no node uses it, it is suspended. */
	async rest(session: NodeSession): Promise<void> {
		if (!(await session.release()) || session.connections.size > 0 || session.record.transport === 'sse') return;
		this.#sessions.delete(session);
		const record = await this.#home.info.read(session.id);
		// Another node may use it.
		if (record === undefined || this.#home.clock.now() - record.lastUsedAt < this.#suspendAfterMs) return;
		if (!(await this.#home.info.update(session.id, { status: 'suspended' }, 'active'))) return;
		await this.#bus.tellAll({ type: 'session-suspended', sessionId: session.id, connectionsToo: false });
	}

	/** Frees what this node holds of a suspended session; where it is in use after all, the session is active again. */
	async suspendHere(session: NodeSession, connectionsToo: boolean): Promise<void> {
		if (session.busy || (session.connections.size > 0 && !connectionsToo)) {
			await this.#home.info.update(session.id, { status: 'active' }, 'suspended');
			return;
		}
		this.#sessions.delete(session);
		for (const connection of session.connections.values()) closeForNow(connection, this.#home.retryMs);
		await session.release();
	}

	async #tellOfEnd(id: string, reason: string): Promise<void> {
		this.endHere(id, reason, true);
		await this.#bus.tellAll({ type: 'session-ended', sessionId: id, reason });
	}

	/** Ends a session on this node. Its streams are forgotten by the node that ended it, once every node had time to answer. */
	endHere(id: string, reason: string, forgetStreams: boolean): void {
		const session = this.#sessions.get(id);
		if (session !== undefined) {
			this.#sessions.delete(session);
			session.markEnded(reason);
			if (session.record.transport === 'sse')
				this.#home.clock.after(END_OF_STREAM_MS, () => session.closeConnections());
			else session.sessionConnection?.close();
			const finish = () => inBackground(session.finish(reason), (error) => this.#home.report(error));
			if (session.running === 0) finish();
			else this.#home.clock.after(END_GRACE_MS, finish);
		}
		this.#ended.add(id, session, forgetStreams);
	}
}
