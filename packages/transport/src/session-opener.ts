import {
	type Capabilities,
	type Clock,
	type InfoSessionManager,
	type JsonObject,
	type SessionPatch,
	type SessionRecord,
	statusOf,
} from '@holdfast/session-manager';
import type { InitializeParams } from './initialize-params.js';
import type { JsonRpcFailure, JsonRpcRequest, JsonRpcResult } from './json-rpc.js';
import type { NodeSession } from './node-session.js';
import type { Owner } from './principal.js';
import { randomId } from './random-id.js';
import type { MessageExtra } from './sdk-server.js';

/** What the opening of sessions needs from the node. */
export interface SessionOpenerHome {
	readonly info: InfoSessionManager;
	readonly clock: Clock;
	/** Makes what this node holds of a session. */
	makeSession(record: SessionRecord): NodeSession;
	/** A session was opened here. */
	onopen(session: NodeSession): void;
}

/** How long sessions live, in milliseconds; 0: for ever. */
export interface SessionLifetime {
	/** When nobody uses them. */
	readonly idleTtlMs: number;
	/** Used or not. */
	readonly absoluteTtlMs: number;
}

/** Opens sessions. */
export class SessionOpener {
	readonly #home: SessionOpenerHome;
	readonly #lifetime: SessionLifetime;

	constructor(home: SessionOpenerHome, lifetime: SessionLifetime) {
		this.#home = home;
		this.#lifetime = lifetime;
	}

	/** Opens a session of `owner` with what the server answers to `initialize`; no session where it refuses. */
	async initialize(
		request: JsonRpcRequest,
		params: InitializeParams,
		owner: Owner,
		extra?: MessageExtra,
	): Promise<{ readonly answer: JsonRpcResult | JsonRpcFailure; readonly session?: NodeSession }> {
		const draft = this.#draft(owner, params.protocolVersion, params);
		const session = this.#home.makeSession(draft);
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
		const draft = this.#draft(owner, '2024-11-05', {});
		const record: SessionRecord = { ...draft, transport: 'sse', status: 'opening' };
		await this.#create(record);
		const session = this.#home.makeSession(record);
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

	/** When a session that was opened at `createdAt` ends, used or not, with a token that ends at `tokenEndsAt`. */
	endOf(createdAt: number, tokenEndsAt = Number.POSITIVE_INFINITY): number | undefined {
		const { absoluteTtlMs } = this.#lifetime;
		const end = Math.min(absoluteTtlMs > 0 ? createdAt + absoluteTtlMs : Number.POSITIVE_INFINITY, tokenEndsAt);
		return end === Number.POSITIVE_INFINITY ? undefined : end;
	}

	/** The record of a session that begins now. */
	#draft(owner: Owner, protocolVersion: string, initializeParams: JsonObject): SessionRecord {
		const now = this.#home.clock.now();
		const { principal, claims, tokenEndsAt } = owner;
		const { idleTtlMs } = this.#lifetime;
		const endsAt = this.endOf(now, tokenEndsAt);
		return {
			id: randomId(),
			...(principal !== undefined && { principal }),
			...(claims !== undefined && { claims }),
			protocolVersion,
			initializeParams,
			serverCapabilities: {},
			createdAt: now,
			lastUsedAt: now,
			...(idleTtlMs > 0 && { idleTtlMs }),
			...(endsAt !== undefined && { endsAt }),
		};
	}

	async #create(record: SessionRecord): Promise<void> {
		if (!(await this.#home.info.create(record))) throw new Error('A fresh session id was taken.');
	}
}

/** What the answer to `initialize` settles. */
function negotiated({ result }: JsonRpcResult): Pick<SessionRecord, 'protocolVersion' | 'serverCapabilities'> {
	return {
		protocolVersion: String(result['protocolVersion']),
		serverCapabilities: (result['capabilities'] ?? {}) as Capabilities,
	};
}
