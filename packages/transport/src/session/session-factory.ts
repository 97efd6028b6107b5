import type { Capabilities, JsonObject, SessionRecord } from '@holdfast/session-manager';
import { InfoSessionManager, SessionManagerError } from '@holdfast/session-manager';
import { type SessionPatch, statusOf } from '@holdfast/session-manager/custom';
import { clientInfoOf } from '@holdfast/session-manager/internal';
import type { ClusterBus } from '../cluster/cluster-bus.js';
import type { Owner } from '../http/principal.js';
import { Collector } from '../node/collector.js';
import type { NodeContext } from '../node/node-context.js';
import type { InitializeParams } from '../protocol/initialize-params.js';
import type { JsonRpcRequest, JsonRpcResponse, JsonRpcResult } from '../protocol/json-rpc.js';
import type { MessageExtra } from '../protocol/sdk.js';
import type { LocalSession } from './local-session.js';
import { RateLimiter } from './rate-limiter.js';
import type { SessionCache } from './session-cache.js';
import { randomId, type SessionIds } from './session-id.js';
import type { SessionLifecycle } from './session-lifecycle.js';

/** Options for new sessions. */
export interface SessionFactoryOptions {
	/**
	 * How long an unused session lives, in milliseconds; 0: for ever. A running request counts as use, an open stream
	 * does not.
	 * @default 86_400_000 (24 hours)
	 */
	readonly idleTtlMs?: number;
	/**
	 * How long a session lives whose client does nothing after the handshake, in milliseconds, where `idleTtlMs` is
	 * longer; 0: as long as any. A request, another notification or an opened stream counts as use.
	 * @default 600_000 (10 minutes)
	 */
	readonly unusedTtlMs?: number;
	/**
	 * How long a session lives after `initialize`, used or not, in milliseconds; 0: for ever.
	 * @default 0
	 */
	readonly absoluteTtlMs?: number;
	/**
	 * How long record and state of an ended session stay readable for audit (`info.readEnded`, `info.listState`), in
	 * milliseconds; 0: they are deleted at once.
	 * @default 0
	 */
	readonly keepEndedMs?: number;
	/**
	 * How many living sessions one principal may have, over all nodes; 0: any number.
	 * @default 100
	 */
	readonly maxSessionsPerPrincipal?: number;
	/**
	 * What happens when a principal has too many sessions: the one that was unused longest ends, or the new one is
	 * refused with 429.
	 * @default 'end-oldest'
	 */
	readonly tooManySessions?: 'refuse' | 'end-oldest';
	/**
	 * What happens when the store is full: the session that was unused longest ends, or the new one is refused with 429.
	 * Whoever floods the store loses their own first, then sessions without a verified principal end.
	 * @default 'end-oldest'
	 */
	readonly fullStore?: 'refuse' | 'end-oldest';
	/**
	 * How many sessions one principal may create on this node in a minute; 0: any number.
	 * @default 600
	 */
	readonly maxNewSessionsPerPrincipalPerMinute?: number;
	/**
	 * How many sessions without a verified principal one address may create on this node in a minute; 0: any number.
	 * Behind a proxy, all clients share its address.
	 * @default 0
	 */
	readonly maxNewSessionsPerAddressPerMinute?: number;
}

/**
 * How often a session is ended to make room before the new one is refused: others may create sessions at the same time.
 */
const MAX_ATTEMPTS = 10;
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/** Creates sessions within count and rate limits. */
export class SessionFactory {
	readonly #context: NodeContext;
	readonly #bus: ClusterBus;
	readonly #sessions: SessionCache;
	readonly #lifecycle: SessionLifecycle;
	readonly #ids: SessionIds;
	readonly #makeSession: (record: SessionRecord, isTransient?: boolean) => LocalSession;
	readonly #idleTtlMs: number;
	/** 0 where a session that was never used lives as long as any. */
	readonly #unusedTtlMs: number;
	readonly #absoluteTtlMs: number;
	readonly #keepEndedMs: number;
	readonly #maxPerPrincipal: number;
	readonly #endsOldest: boolean;
	readonly #endsUnused: boolean;
	readonly #principalRate: RateLimiter;
	readonly #addressRate: RateLimiter;
	/** Those of which the store does not know yet that they are used. */
	readonly #firstUsed: Collector<LocalSession>;

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
		this.#unusedTtlMs = unusedTtlOf(options);
		this.#absoluteTtlMs = options.absoluteTtlMs ?? 0;
		this.#keepEndedMs = options.keepEndedMs ?? 0;
		this.#maxPerPrincipal = options.maxSessionsPerPrincipal ?? 100;
		this.#endsOldest = options.tooManySessions !== 'refuse';
		this.#endsUnused = options.fullStore !== 'refuse';
		const rate = (burst: number) => ({
			burst,
			refillMs: MINUTE,
			message: 'too many sessions were created in a short time.',
		});
		this.#principalRate = new RateLimiter(context.clock, rate(options.maxNewSessionsPerPrincipalPerMinute ?? 600));
		this.#addressRate = new RateLimiter(context.clock, rate(options.maxNewSessionsPerAddressPerMinute ?? 0));
		this.#firstUsed = new Collector(context, (session) => this.#tellUse(session));
	}

	/**
	 * Creates a session for `owner`, and stores it once the server has accepted `initialize`. Without a `session`, the
	 * server refused it, and nothing is stored. Throws `limit` or `principal-limit` when there are too many.
	 */
	async initialize(
		request: JsonRpcRequest,
		params: InitializeParams,
		owner: Owner,
		extra?: MessageExtra,
	): Promise<{ readonly response: JsonRpcResponse; readonly session?: LocalSession }> {
		await this.#bus.listen();
		this.#checkRate(owner);
		const wireId = this.#ids.issue();
		// Read before the session exists: its first stream begins with every broadcast from here on.
		const broadcastsSince = await this.#context.streams.position();
		const draft = { ...this.#draft(wireId, owner, params.protocolVersion, params), broadcastsSince };
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
		this.#begin(session);
		this.#observeOpening(record);
		return { response, session };
	}

	/**
	 * Creates an HTTP+SSE session for `owner`. Its client learns its id first, and sends `initialize` only then. Throws
	 * `limit` or `principal-limit` when there are too many.
	 */
	async open(owner: Owner): Promise<LocalSession> {
		await this.#bus.listen();
		this.#checkRate(owner);
		const wireId = this.#ids.issue();
		const draft = this.#draft(wireId, owner, '2024-11-05', {});
		const record: SessionRecord = { ...draft, transport: 'sse', status: 'opening' };
		await this.#create(record);
		const session = this.#makeSession(record);
		session.wireId = wireId;
		this.#begin(session);
		return session;
	}

	/**
	 * Passes `initialize` to the server of an HTTP+SSE session. Where the server refuses it, the client may try again.
	 * `undefined` where the session has ended or was initialized before, on whichever node.
	 */
	async complete(
		session: LocalSession,
		request: JsonRpcRequest,
		params: InitializeParams,
		extra?: MessageExtra,
	): Promise<JsonRpcResponse | undefined> {
		const response = await session.inTurn(() => this.#complete(session, request, params, extra));
		if (response !== undefined && 'result' in response) {
			// The node that holds the stream keeps the session alive once it learns that it is initialized.
			this.#context.background(async () => {
				await this.#context.info.touch(session.id, this.#context.clock.now());
				await this.#bus.tellAll({ type: 'session-changed', sessionId: session.id });
			});
		}
		return response;
	}

	/**
	 * Makes a session that lasts for one POST and is not stored, as if its client had sent `initialize` with `params`.
	 */
	transient(params: InitializeParams): LocalSession {
		return this.#makeSession(this.#draft(randomId(), {}, params.protocolVersion, params), true);
	}

	/** The client sends `body`, or opens a stream: after the handshake, the session lives on as one that is used. */
	use(session: LocalSession, body: unknown): void {
		const { record } = session;
		if (record.idleTtlMs !== this.#unusedTtlMs || isInitialized(body)) return;
		session.refresh({ ...record, idleTtlMs: this.#idleTtlMs || undefined });
		this.#firstUsed.add(session);
	}

	/** Resolves once the store knows which sessions are used, as far as it takes that. Never rejects. */
	flush(): Promise<void> {
		return this.#firstUsed.flush();
	}

	/** Extends a session to the end of a refreshed token, but not past the absolute TTL. */
	extend(session: LocalSession, tokenEndsAt: number | undefined): void {
		const { endsAt, createdAt } = session.record;
		if (endsAt === undefined || tokenEndsAt === undefined || tokenEndsAt <= endsAt) return;
		const later = this.#endOf(createdAt, tokenEndsAt);
		if (later === undefined || later <= endsAt) return;
		session.refresh({ ...session.record, endsAt: later });
		this.#sessions.expireStreams(session);
		this.#context.background(async () => {
			await this.#context.info.update(session.id, { endsAt: later });
			// A node that holds its stream must not end it with the older token.
			await this.#bus.tellAll({ type: 'session-changed', sessionId: session.id });
		});
	}

	#begin(session: LocalSession): void {
		this.#sessions.add(session);
		// One that is never used has no streams.
		if (session.record.idleTtlMs !== this.#unusedTtlMs) this.#sessions.expireStreams(session);
	}

	/** Tells streams and store that a session is used. Where the store fails, the next use is told. */
	async #tellUse(session: LocalSession): Promise<void> {
		// Of one that has ended, nothing may be stored any more.
		if (session.ended) return;
		// The clock may have been set since.
		this.#sessions.expireStreams(session, session.usedAt);
		try {
			await this.#context.info.update(session.id, { idleTtlMs: this.#idleTtlMs || undefined });
		} catch (error) {
			session.refresh({ ...session.record, idleTtlMs: this.#unusedTtlMs });
			throw error;
		}
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
			if (await this.#context.info.update(session.id, wanted, 'opening')) {
				patch = wanted;
				this.#observeOpening({ ...opening, ...wanted });
			}
		} finally {
			session.refresh({ ...opening, ...patch });
			if (patch === undefined) await session.release();
		}
		return patch && response;
	}

	#observeOpening(record: SessionRecord): void {
		const { id: sessionId, protocolVersion, principal } = record;
		this.#context.observation?.emit({
			type: 'session-opened',
			sessionId,
			protocolVersion,
			transport: record.transport ?? 'http',
			...(principal !== undefined && { principal }),
			clientInfo: clientInfoOf(record),
		});
	}

	/** Returns when a session ends, used or not; `undefined` for never. */
	#endOf(createdAt: number, tokenEndsAt = Number.POSITIVE_INFINITY): number | undefined {
		const absolute = this.#absoluteTtlMs > 0 ? createdAt + this.#absoluteTtlMs : Number.POSITIVE_INFINITY;
		const end = Math.min(absolute, tokenEndsAt);
		return end === Number.POSITIVE_INFINITY ? undefined : end;
	}

	/** Throws `limit` when the owner creates sessions too often. */
	#checkRate({ principal, address }: Owner): void {
		if (address === undefined) this.#principalRate.count(principal);
		else this.#addressRate.count(address);
	}

	/** Returns the record of a session that begins now. */
	#draft(wireId: string, owner: Owner, protocolVersion: string, initializeParams: JsonObject): SessionRecord {
		const now = this.#context.clock.now();
		const { principal, address, claims, tokenEndsAt } = owner;
		const idleTtlMs = this.#unusedTtlMs || this.#idleTtlMs;
		const endsAt = this.#endOf(now, tokenEndsAt);
		return {
			id: this.#ids.stored(wireId),
			...(principal !== undefined && { principal }),
			...(address !== undefined && { remoteAddress: address }),
			...(claims !== undefined && { claims }),
			protocolVersion,
			initializeParams,
			serverCapabilities: {},
			createdAt: now,
			lastUsedAt: now,
			...(idleTtlMs > 0 && { idleTtlMs }),
			...(endsAt !== undefined && { endsAt }),
			...(this.#keepEndedMs > 0 && { keepEndedMs: this.#keepEndedMs }),
		};
	}

	async #create(record: SessionRecord): Promise<void> {
		const limits = { perPrincipal: this.#maxPerPrincipal || undefined };
		for (let attempt = 1; ; attempt++) {
			let isCreated: boolean;
			try {
				isCreated = await this.#context.info.create(record, limits);
			} catch (error) {
				const code = error instanceof SessionManagerError ? error.code : undefined;
				// Whatever the store kept of a session that it did not refuse would count for as long as one lives.
				if (code !== 'limit' && code !== 'principal-limit')
					this.#context.background(() => this.#context.info.delete(record.id));
				if (attempt === MAX_ATTEMPTS || !(await this.#makeRoom(code, record.principal))) throw error;
				continue;
			}
			if (isCreated) return;
			throw new Error('A fresh session id was taken.');
		}
	}

	/**
	 * Ends a session that gives way to a new one. Returns `false` where none ever does. Where none does now, others who
	 * create sessions at the same time have made room.
	 */
	async #makeRoom(code: string | undefined, principal: string | undefined): Promise<boolean> {
		const isPrincipals = code === 'principal-limit';
		if (isPrincipals ? !this.#endsOldest : code !== 'limit' || !this.#endsUnused) return false;
		if (!isPrincipals && this.#context.info.endUnused === InfoSessionManager.prototype.endUnused) return false;
		if (isPrincipals) await this.#lifecycle.endUnused('a newer session took its place', principal);
		else await this.#lifecycle.endUnused('the store was full');
		return true;
	}
}

/** Returns the shortest time after which a session may end by itself, in milliseconds; infinite where none does. */
export function shortestTtlOf(options: SessionFactoryOptions): number {
	const ttls = [idleTtlOf(options), unusedTtlOf(options), options.absoluteTtlMs];
	return Math.min(...ttls.map((ttl) => ttl || Number.POSITIVE_INFINITY));
}

/** Returns how long a session lives that is not used any more, in milliseconds; 0: for ever. */
export function idleTtlOf({ idleTtlMs = DAY }: SessionFactoryOptions): number {
	return idleTtlMs;
}

function unusedTtlOf({ unusedTtlMs = 10 * MINUTE, ...options }: SessionFactoryOptions): number {
	const idleTtlMs = idleTtlOf(options);
	return idleTtlMs > 0 && idleTtlMs <= unusedTtlMs ? 0 : unusedTtlMs;
}

/** Returns whether a message is the last of the handshake. */
function isInitialized(body: unknown): boolean {
	return (body as { readonly method?: unknown } | undefined)?.method === 'notifications/initialized';
}

/** Returns what the response to `initialize` fixes for the session. */
function negotiated({ result }: JsonRpcResult): Pick<SessionRecord, 'protocolVersion' | 'serverCapabilities'> {
	return {
		protocolVersion: String(result['protocolVersion']),
		serverCapabilities: (result['capabilities'] ?? {}) as Capabilities,
	};
}
