import type { StateValue } from '@holdfast/session-manager';
import {
	type EndedSession,
	expiryOf,
	type JsonObject,
	type SessionRecord,
	type SessionStatus,
	statusOf,
} from '@holdfast/session-manager/custom';
import { clientInfoOf, decodeStateValue } from '@holdfast/session-manager/internal';
import type { NodeContext } from '../node/node-context.js';
import type { SessionLifecycle } from './session-lifecycle.js';

/** A session of a principal, as operators see it. */
export interface SessionSummary {
	/** As the store has it. Whoever knows it may use the session, unless ids are stored hashed: never log it. */
	readonly id: string;
	readonly status: SessionStatus | 'terminated';
	/** Times are milliseconds since the Unix epoch. */
	readonly createdAt: number;
	readonly lastUsedAt: number;
	readonly expiresAt?: number | undefined;
	readonly endedAt?: number | undefined;
	/** Why it ended. */
	readonly reason?: string | undefined;
	readonly clientInfo: JsonObject;
}

/** Everything that is stored about a principal, as one JSON document. */
export interface PrincipalExport {
	readonly principal: string;
	/** When it was made, in milliseconds since the Unix epoch. */
	readonly exportedAt: number;
	readonly sessions: readonly ExportedSession[];
}

/** One session of an export. Its id is left out: it is a key, not a fact. */
export interface ExportedSession extends Omit<SessionSummary, 'id'> {
	readonly claims?: JsonObject | undefined;
	readonly protocolVersion: string;
	readonly initializeParams: JsonObject;
	readonly logLevel?: string | undefined;
	readonly subscriptions: readonly string[];
	/** Each value with its type; bigints are decimal text, bytes are base64. */
	readonly state: Readonly<Record<string, { readonly type: string; readonly value: unknown }>>;
}

/** What is stored about a person, over all sessions, ended ones that are kept included. */
export class PrincipalData {
	readonly #context: NodeContext;
	readonly #lifecycle: SessionLifecycle;

	constructor(context: NodeContext, lifecycle: SessionLifecycle) {
		this.#context = context;
		this.#lifecycle = lifecycle;
	}

	/** The sessions of a principal (`session.principal`), oldest first. */
	async list(principal: string): Promise<SessionSummary[]> {
		return (await this.#find(principal)).map(summaryOf);
	}

	/** Everything that is stored about a principal. */
	async export(principal: string): Promise<PrincipalExport> {
		const found = await this.#find(principal);
		const sessions = await Promise.all(found.map((session) => this.#exported(session)));
		return { principal, exportedAt: this.#context.clock.now(), sessions };
	}

	/** Ends every session of a principal on every node and erases all that is kept of it. Answers how many there were. */
	async erase(principal: string): Promise<number> {
		const ids = await this.#context.info.sessionsOf(principal);
		await Promise.all(ids.map((id) => this.#lifecycle.erase(id)));
		return ids.length;
	}

	async #find(principal: string): Promise<Found[]> {
		const { info } = this.#context;
		const ids = await info.sessionsOf(principal);
		const found = await Promise.all(
			ids.map(async (id): Promise<Found | undefined> => {
				const record = await info.read(id);
				return record === undefined ? info.readEnded(id) : { record };
			}),
		);
		return found
			.filter((session) => session !== undefined)
			.sort((one, other) => one.record.createdAt - other.record.createdAt);
	}

	async #exported(found: Found): Promise<ExportedSession> {
		const { info } = this.#context;
		const { id, ...summary } = summaryOf(found);
		const { claims, protocolVersion, initializeParams, logLevel } = found.record;
		const stored = await info.listState(id);
		const state = [...stored].map(([key, { value }]) => [key, exportedValue(decodeStateValue(value))] as const);
		return {
			...summary,
			claims,
			protocolVersion,
			initializeParams,
			logLevel,
			subscriptions: await info.getSubscribedUris(id),
			state: Object.fromEntries(state),
		};
	}
}

type Found = { readonly record: SessionRecord } | EndedSession;

function summaryOf(found: Found): SessionSummary {
	const { record } = found;
	const ended = 'endedAt' in found ? found : undefined;
	return {
		id: record.id,
		status: ended === undefined ? statusOf(record) : 'terminated',
		createdAt: record.createdAt,
		lastUsedAt: record.lastUsedAt,
		expiresAt: ended === undefined ? expiryOf(record) : undefined,
		endedAt: ended?.endedAt,
		reason: ended?.reason,
		clientInfo: clientInfoOf(record),
	};
}

function exportedValue(value: StateValue): { readonly type: string; readonly value: unknown } {
	if (value instanceof Uint8Array) return { type: 'bytes', value: Buffer.from(value).toString('base64') };
	if (typeof value === 'bigint') return { type: 'bigint', value: String(value) };
	return { type: typeof value === 'object' ? 'json' : typeof value, value };
}
