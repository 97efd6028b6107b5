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

/** Options for new sessions. */
export interface SessionFactoryOptions {
	/**
	 * How long an unused session lives, in milliseconds; 0: for ever. A running request counts as use, an open stream
	 * does not.
	 * @default 1_800_000 (30 minutes)
	 */
	readonly idleTtlMs?: number;
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
	 * What happens when a principal has too many sessions: the new one is refused with 429, or the oldest ends.
	 * @default 'refuse'
	 */
	readonly tooManySessions?: 'refuse' | 'end-oldest';
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
 * How often the oldest session is ended to make room before the new one is refused: other nodes may create sessions at
 * the same time.
 */
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
		const rate = (burst: number) => ({
			burst,
			refillMs: MINUTE,
			message: 'too many sessions were created in a short time.',
		});
		this.#principalRate = new RateLimiter(context.clock, rate(options.maxNewSessionsPerPrincipalPerMinute ?? 600));
		this.#addressRate = new RateLimiter(context.clock, rate(options.maxNewSessionsPerAddressPerMinute ?? 0));
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
		this.#sessions.add(session);
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
		this.#sessions.add(session);
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
			let isCreated: boolean;
			try {
				isCreated = await this.#context.info.create(record, limits);
			} catch (error) {
				const code = error instanceof SessionManagerError ? error.code : undefined;
				// Whatever the store kept of a session that it did not refuse would count for as long as one lives.
				if (code !== 'limit' && code !== 'principal-limit')
					this.#context.background(() => this.#context.info.delete(record.id));
				if (code !== 'principal-limit' || !this.#endsOldest || attempt === MAX_ATTEMPTS) throw error;
				await this.#endOldest(record.principal ?? '');
				continue;
			}
			if (isCreated) return;
			throw new Error('A fresh session id was taken.');
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

/** Returns the shortest time after which a session may end by itself, in milliseconds; infinite where none does. */
export function shortestTtlOf(options: SessionFactoryOptions): number {
	return Math.min(idleTtlOf(options) || Number.POSITIVE_INFINITY, options.absoluteTtlMs || Number.POSITIVE_INFINITY);
}

function idleTtlOf({ idleTtlMs = 30 * MINUTE }: SessionFactoryOptions): number {
	return idleTtlMs;
}

/** Returns what the response to `initialize` fixes for the session. */
function negotiated({ result }: JsonRpcResult): Pick<SessionRecord, 'protocolVersion' | 'serverCapabilities'> {
	return {
		protocolVersion: String(result['protocolVersion']),
		serverCapabilities: (result['capabilities'] ?? {}) as Capabilities,
	};
}
