import { createHash } from 'node:crypto';
import {
	type Capabilities,
	type Clock,
	type InfoSessionManager,
	type JsonObject,
	SessionManagerError,
	type SessionPatch,
	type SessionRecord,
	statusOf,
} from '@holdfast/session-manager';
import type { InitializeParams } from './initialize-params.js';
import type { JsonRpcFailure, JsonRpcRequest, JsonRpcResult } from './json-rpc.js';
import type { NodeSession } from './node-session.js';
import { OpenRate } from './open-rate.js';
import type { Owner } from './principal.js';
import { randomId } from './random-id.js';
import type { MessageExtra } from './sdk-server.js';
import type { SessionHostOptions } from './session-host-options.js';

/** What the opening of sessions needs from the node. */
export interface SessionOpenerHome {
	readonly info: InfoSessionManager;
	readonly clock: Clock;
	/** Makes what this node holds of a session. */
	makeSession(record: SessionRecord): NodeSession;
	/** A session was opened here. */
	onopen(session: NodeSession): void;
	/** Ends a session on every node. */
	terminate(id: string, reason: string): Promise<void>;
}

/** How often a session that is one too many makes room for itself before it is refused: others may be as fast. */
const MAX_ATTEMPTS = 5;
const MINUTE = 60_000;

/** Opens sessions: as many, and as often, as may be. */
export class SessionOpener {
	readonly #home: SessionOpenerHome;
	readonly #idleTtlMs: number;
	readonly #absoluteTtlMs: number;
	readonly #keepEndedMs: number;
	readonly #maxPerPrincipal: number;
	readonly #endsOldest: boolean;
	readonly #getSessionId: () => string;
	readonly #hashes: boolean;
	readonly #principalRate: OpenRate;
	readonly #addressRate: OpenRate;

	constructor(home: SessionOpenerHome, options: SessionHostOptions) {
		this.#home = home;
		this.#idleTtlMs = options.idleTtlMs ?? 30 * MINUTE;
		this.#absoluteTtlMs = options.absoluteTtlMs ?? 0;
		this.#keepEndedMs = options.keepEndedMs ?? 0;
		this.#maxPerPrincipal = options.maxSessionsPerPrincipal ?? 100;
		this.#endsOldest = options.onTooManySessions === 'end-oldest';
		this.#getSessionId = options.getSessionId ?? randomId;
		this.#hashes = options.hashSessionIds ?? false;
		this.#principalRate = new OpenRate(home.clock, options.maxOpensPerPrincipal ?? 600);
		this.#addressRate = new OpenRate(home.clock, options.maxOpensPerAddress ?? 0);
	}

	/** The shortest time after which a session may end by itself. */
	get shortestTtlMs(): number {
		return Math.min(this.#idleTtlMs || Number.POSITIVE_INFINITY, this.#absoluteTtlMs || Number.POSITIVE_INFINITY);
	}

	/** The id under which the session is stored that a client names `wireId`. */
	storedId(wireId: string): string {
		return this.#hashes ? createHash('sha256').update(wireId).digest('base64url') : wireId;
	}

	/** Opens a session of `owner` with what the server answers to `initialize`; no session where it refuses. */
	async initialize(
		request: JsonRpcRequest,
		params: InitializeParams,
		owner: Owner,
		extra?: MessageExtra,
	): Promise<{ readonly answer: JsonRpcResult | JsonRpcFailure; readonly session?: NodeSession }> {
		this.#count(owner);
		const wireId = this.#issueId();
		const draft = this.#draft(wireId, owner, params.protocolVersion, params);
		const session = this.#home.makeSession(draft);
		session.wireId = wireId;
		const answer = await session.initialize(request, extra);
		if ('error' in answer) return { answer };
		const record = { ...draft, ...negotiated(answer) };
		session.refresh(record);
		try {
			await this.#create(record);
		} catch (error) {
			await session.release();
			throw error;
		}
		this.#home.onopen(session);
		return { answer, session };
	}

	/** Opens a session of HTTP+SSE for `owner`, whose client can say `initialize` only once it knows of the session. */
	async open(owner: Owner): Promise<NodeSession> {
		this.#count(owner);
		const wireId = this.#issueId();
		const draft = this.#draft(wireId, owner, '2024-11-05', {});
		const record: SessionRecord = { ...draft, transport: 'sse', status: 'opening' };
		await this.#create(record);
		const session = this.#home.makeSession(record);
		session.wireId = wireId;
		this.#home.onopen(session);
		return session;
	}

	/**
	 * Lets the server answer the `initialize` of a session that was opened before it. Where the server refuses, the client may
	 * try again. `undefined` where the session has ended, or was initialized before, on whichever node.
	 */
	complete(
		session: NodeSession,
		request: JsonRpcRequest,
		params: InitializeParams,
		extra?: MessageExtra,
	): Promise<JsonRpcResult | JsonRpcFailure | undefined> {
		return session.inTurn(async () => {
			const opening = session.record;
			if (session.ended || statusOf(opening) !== 'opening') return undefined;
			session.refresh({ ...opening, protocolVersion: params.protocolVersion, initializeParams: params });
			let answer: JsonRpcResult | JsonRpcFailure | undefined;
			let patch: SessionPatch | undefined;
			try {
				answer = await session.initialize(request, extra);
				if ('error' in answer) return answer;
				const wanted = { initializeParams: params, ...negotiated(answer), status: 'active' } as const;
				if (await this.#home.info.update(session.id, wanted, 'opening')) patch = wanted;
			} finally {
				session.refresh({ ...opening, ...patch });
				if (patch === undefined) await session.release();
			}
			return patch && answer;
		});
	}

	/** What serves one request without a session, as if its client had said `initialize` with `params`. */
	transient(params: InitializeParams): SessionRecord {
		return this.#draft(randomId(), {}, params.protocolVersion, params);
	}

	/** When a session that was opened at `createdAt` ends, used or not, with a token that ends at `tokenEndsAt`. */
	endOf(createdAt: number, tokenEndsAt = Number.POSITIVE_INFINITY): number | undefined {
		const absolute = this.#absoluteTtlMs > 0 ? createdAt + this.#absoluteTtlMs : Number.POSITIVE_INFINITY;
		const end = Math.min(absolute, tokenEndsAt);
		return end === Number.POSITIVE_INFINITY ? undefined : end;
	}

	/** Refuses who opens sessions too often. */
	#count({ principal, address }: Owner): void {
		if (address === undefined) this.#principalRate.count(principal);
		else this.#addressRate.count(address);
	}

	#issueId(): string {
		const id = this.#getSessionId();
		if (typeof id === 'string' && /^[\x21-\x7e]{8,256}$/.test(id)) return id;
		throw new TypeError('getSessionId must answer 8 to 256 visible ASCII characters.');
	}

	/** The record of a session that begins now. */
	#draft(wireId: string, owner: Owner, protocolVersion: string, initializeParams: JsonObject): SessionRecord {
		const now = this.#home.clock.now();
		const { principal, claims, tokenEndsAt } = owner;
		const endsAt = this.endOf(now, tokenEndsAt);
		return {
			id: this.storedId(wireId),
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
				if (await this.#home.info.create(record, limits)) return;
				throw new Error('A fresh session id was taken.');
			} catch (error) {
				const isTooMany = error instanceof SessionManagerError && error.code === 'principal-limit';
				if (!isTooMany || !this.#endsOldest || attempt === MAX_ATTEMPTS) throw error;
				await this.#endOldest(record.principal ?? '');
			}
		}
	}

	async #endOldest(principal: string): Promise<void> {
		const ids = await this.#home.info.sessionsOf(principal);
		const records = await Promise.all(ids.map((id) => this.#home.info.read(id)));
		const living = records.filter((record) => record !== undefined);
		const [oldest] = living.sort((one, other) => one.createdAt - other.createdAt);
		if (oldest !== undefined) await this.#home.terminate(oldest.id, 'a newer session took its place');
	}
}

/** What the answer to `initialize` settles. */
function negotiated({ result }: JsonRpcResult): Pick<SessionRecord, 'protocolVersion' | 'serverCapabilities'> {
	return {
		protocolVersion: String(result['protocolVersion']),
		serverCapabilities: (result['capabilities'] ?? {}) as Capabilities,
	};
}
