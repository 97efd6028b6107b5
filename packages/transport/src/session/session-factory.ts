import type { Capabilities, JsonObject, SessionRecord } from '@holdfast/session-manager';
import { SessionManagerError } from '@holdfast/session-manager';
import { type SessionPatch, statusOf } from '@holdfast/session-manager/custom';
import type { ClusterBus } from '../cluster/cluster-bus.js';
import type { Owner } from '../http/principal.js';
import type { NodeContext } from '../node/node-context.js';
import type { InitializeParams } from '../protocol/initialize-params.js';
import type { JsonRpcRequest, JsonRpcResponse, JsonRpcResult } from '../protocol/json-rpc.js';
import type { MessageExtra } from '../protocol/sdk.js';
import type { LocalSession } from './local-session.js';
import { RateLimiter } from './rate-limiter.js';
import type { SessionCache } from './session-cache.js';
import { randomId, type SessionIds } from './session-id.js';
import type { SessionLifecycle } from './session-lifecycle.js';

/** Options about the sessions that are created. */
export interface SessionFactoryOptions {
	/** How long an unused session lives, in milliseconds (default 30 minutes; 0: for ever). An open stream does not count as use. */
	readonly idleTtlMs?: number;
	/** How long a session lives after `initialize`, used or not, in milliseconds (default 0: for ever). */
	readonly absoluteTtlMs?: number;
	/**
	 * For how long record and state of an ended session can be read for audit, in milliseconds (default 0: nothing is kept):
	 * `info.readEnded`, `info.listState`.
	 */
	readonly keepEndedMs?: number;
	/** Living sessions of one principal (default 100; 0: any number). */
	readonly maxSessionsPerPrincipal?: number;
	/** What happens to a session too many: it is refused with 429 (default), or the principal's oldest ends. */
	readonly tooManySessions?: 'refuse' | 'end-oldest';
	/** Sessions that one principal may create on this node in a minute (default 600; 0: any number). */
	readonly maxNewSessionsPerPrincipalPerMinute?: number;
	/**
	 * Sessions without a verified principal that may be created on this node from one address in a minute (default 0: any number,
	 * because behind a proxy all have its address).
	 */
	readonly maxNewSessionsPerAddressPerMinute?: number;
}

/** How often a session that is one too many makes room for itself before it is refused: others may be as fast. */
const MAX_ATTEMPTS = 5;
const MINUTE = 60_000;

/** Creates sessions within count and rate limits. */
export class SessionFactory {
	readonly #context: NodeContext;
	readonly #bus: ClusterBus;
	readonly #sessions: SessionCache;
	readonly #lifecycle: SessionLifecycle;
	readonly #ids: SessionIds;
	readonly #makeSession: (record: SessionRecord, isTransient?: boolean) => LocalSession;
	readonly #idleTtlMs: number;
	readonly #absoluteTtlMs: number;
	readonly #keepEndedMs: number;
	readonly #maxPerPrincipal: number;
	readonly #endsOldest: boolean;
	readonly #principalRate: RateLimiter;
	readonly #addressRate: RateLimiter;

	constructor(
		context: NodeContext,
		bus: ClusterBus,
		sessions: SessionCache,
		lifecycle: SessionLifecycle,
		ids: SessionIds,
		makeSession: (record: SessionRecord, isTransient?: boolean) => LocalSession,
		options: SessionFactoryOptions,
	) {
		this.#context = context;
		this.#bus = bus;
		this.#sessions = sessions;
		this.#lifecycle = lifecycle;
		this.#ids = ids;
		this.#makeSession = makeSession;
		this.#idleTtlMs = idleTtlOf(options);
		this.#absoluteTtlMs = options.absoluteTtlMs ?? 0;
		this.#keepEndedMs = options.keepEndedMs ?? 0;
		this.#maxPerPrincipal = options.maxSessionsPerPrincipal ?? 100;
		this.#endsOldest = options.tooManySessions === 'end-oldest';
		this.#principalRate = new RateLimiter(context.clock, options.maxNewSessionsPerPrincipalPerMinute ?? 600);
		this.#addressRate = new RateLimiter(context.clock, options.maxNewSessionsPerAddressPerMinute ?? 0);
	}

	/** Creates a session of `owner` with what the server responds to `initialize`; no session where it refuses. */
	async initialize(
		request: JsonRpcRequest,
		params: InitializeParams,
		owner: Owner,
		extra?: MessageExtra,
	): Promise<{ readonly response: JsonRpcResponse; readonly session?: LocalSession }> {
		await this.#bus.listen();
		this.#count(owner);
		const wireId = this.#ids.issue();
		const draft = this.#draft(wireId, owner, params.protocolVersion, params);
		const session = this.#makeSession(draft);
		session.wireId = wireId;
		const response = await session.initialize(request, extra);
		if ('error' in response) return { response };
		const record = { ...draft, ...negotiated(response) };
		session.refresh(record);
		try {
			await this.#create(record);
		} catch (error) {
			await session.release();
			throw error;
		}
		this.#sessions.add(session);
		return { response, session };
	}

	/** Creates a session of HTTP+SSE for `owner`, whose client can say `initialize` only once it knows of the session. */
	async open(owner: Owner): Promise<LocalSession> {
		await this.#bus.listen();
		this.#count(owner);
		const wireId = this.#ids.issue();
		const draft = this.#draft(wireId, owner, '2024-11-05', {});
		const record: SessionRecord = { ...draft, transport: 'sse', status: 'opening' };
		await this.#create(record);
		const session = this.#makeSession(record);
		session.wireId = wireId;
		this.#sessions.add(session);
		return session;
	}

	/**
	 * Lets the server respond to the `initialize` of a session that was opened before it. Where the server refuses, the client may
	 * try again. `undefined` where the session has ended, or was initialized before, on whichever node.
	 */
	async complete(
		session: LocalSession,
		request: JsonRpcRequest,
		params: InitializeParams,
		extra?: MessageExtra,
	): Promise<JsonRpcResponse | undefined> {
		const response = await session.inTurn(() => this.#complete(session, request, params, extra));
		if (response !== undefined && 'result' in response) {
			// The node that holds the stream keeps the session alive as soon as it hears of it.
			this.#context.background(async () => {
				await this.#context.info.touch(session.id, this.#context.clock.now());
				await this.#bus.tellAll({ type: 'session-changed', sessionId: session.id });
			});
		}
		return response;
	}

	/** Makes what serves one request without a session, as if its client had said `initialize` with `params`. */
	transient(params: InitializeParams): LocalSession {
		return this.#makeSession(this.#draft(randomId(), {}, params.protocolVersion, params), true);
	}

	/** A refreshed token keeps its session for longer, as far as the absolute TTL goes. */
	prolong(session: LocalSession, tokenEndsAt: number | undefined): void {
		const { endsAt, createdAt } = session.record;
		if (endsAt === undefined || tokenEndsAt === undefined || tokenEndsAt <= endsAt) return;
		const later = this.#endOf(createdAt, tokenEndsAt);
		if (later === undefined || later <= endsAt) return;
		session.refresh({ ...session.record, endsAt: later });
		this.#context.background(() => this.#context.info.update(session.id, { endsAt: later }));
	}

	async #complete(
		session: LocalSession,
		request: JsonRpcRequest,
		params: InitializeParams,
		extra?: MessageExtra,
	): Promise<JsonRpcResponse | undefined> {
		const opening = session.record;
		if (session.ended || statusOf(opening) !== 'opening') return undefined;
		session.refresh({ ...opening, protocolVersion: params.protocolVersion, initializeParams: params });
		let response: JsonRpcResponse | undefined;
		let patch: SessionPatch | undefined;
		try {
			response = await session.initialize(request, extra);
			if ('error' in response) return response;
			const wanted = { initializeParams: params, ...negotiated(response), status: 'active' } as const;
			if (await this.#context.info.update(session.id, wanted, 'opening')) patch = wanted;
		} finally {
			session.refresh({ ...opening, ...patch });
			if (patch === undefined) await session.release();
		}
		return patch && response;
	}

	/** When a session that was created at `createdAt` ends, used or not, with a token that ends at `tokenEndsAt`. */
	#endOf(createdAt: number, tokenEndsAt = Number.POSITIVE_INFINITY): number | undefined {
		const absolute = this.#absoluteTtlMs > 0 ? createdAt + this.#absoluteTtlMs : Number.POSITIVE_INFINITY;
		const end = Math.min(absolute, tokenEndsAt);
		return end === Number.POSITIVE_INFINITY ? undefined : end;
	}

	/** Refuses who creates sessions too often. */
	#count({ principal, address }: Owner): void {
		if (address === undefined) this.#principalRate.count(principal);
		else this.#addressRate.count(address);
	}

	/** The record of a session that begins now. */
	#draft(wireId: string, owner: Owner, protocolVersion: string, initializeParams: JsonObject): SessionRecord {
		const now = this.#context.clock.now();
		const { principal, claims, tokenEndsAt } = owner;
		const endsAt = this.#endOf(now, tokenEndsAt);
		return {
			id: this.#ids.stored(wireId),
			...(principal !== undefined && { principal }),
			...(claims !== undefined && { claims }),
			protocolVersion,
			initializeParams,
			serverCapabilities: {},
			createdAt: now,
			lastUsedAt: now,
			...(this.#idleTtlMs > 0 && { idleTtlMs: this.#idleTtlMs }),
			...(endsAt !== undefined && { endsAt }),
			...(this.#keepEndedMs > 0 && { keepEndedMs: this.#keepEndedMs }),
		};
	}

	async #create(record: SessionRecord): Promise<void> {
		const limits = { perPrincipal: this.#maxPerPrincipal || undefined };
		for (let attempt = 1; ; attempt++) {
			try {
				if (await this.#context.info.create(record, limits)) return;
				throw new Error('A fresh session id was taken.');
			} catch (error) {
				const isTooMany = error instanceof SessionManagerError && error.code === 'principal-limit';
				if (!isTooMany || !this.#endsOldest || attempt === MAX_ATTEMPTS) throw error;
				await this.#endOldest(record.principal ?? '');
			}
		}
	}

	async #endOldest(principal: string): Promise<void> {
		const { info } = this.#context;
		const ids = await info.sessionsOf(principal);
		const records = await Promise.all(ids.map((id) => info.read(id)));
		const living = records.filter((record) => record !== undefined);
		const [oldest] = living.sort((one, other) => one.createdAt - other.createdAt);
		if (oldest !== undefined) await this.#lifecycle.terminate(oldest.id, 'a newer session took its place');
	}
}

/** The shortest time after which a session may end by itself, in milliseconds. */
export function shortestTtlOf(options: SessionFactoryOptions): number {
	return Math.min(idleTtlOf(options) || Number.POSITIVE_INFINITY, options.absoluteTtlMs || Number.POSITIVE_INFINITY);
}

function idleTtlOf({ idleTtlMs = 30 * MINUTE }: SessionFactoryOptions): number {
	return idleTtlMs;
}

/** What the response to `initialize` settles. */
function negotiated({ result }: JsonRpcResult): Pick<SessionRecord, 'protocolVersion' | 'serverCapabilities'> {
	return {
		protocolVersion: String(result['protocolVersion']),
		serverCapabilities: (result['capabilities'] ?? {}) as Capabilities,
	};
}
