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
import { audited } from '../node/audit.js';
import type { NodeContext } from '../node/node-context.js';
import type { AuditNote } from '../node/observer.js';
import { RECORD_KINDS, type RecordKind } from './owned-records.js';
import type { SessionLifecycle } from './session-lifecycle.js';

/** A session of a principal, as operators see it. Times are in milliseconds since the Unix epoch. */
export interface SessionSummary {
	/**
	 * The id under which the session is stored. Never log it: unless ids are stored hashed, whoever knows it can name the
	 * session.
	 */
	readonly id: string;
	readonly status: SessionStatus | 'terminated';
	readonly createdAt: number;
	readonly lastUsedAt: number;
	readonly expiresAt?: number | undefined;
	readonly endedAt?: number | undefined;
	/** Why the session ended. */
	readonly reason?: string | undefined;
	readonly clientInfo: JsonObject;
}

/** Everything that is stored about a principal, as one JSON document. */
export interface PrincipalExport {
	readonly principal: string;
	/** When the export was made, in milliseconds since the Unix epoch. */
	readonly exportedAt: number;
	readonly sessions: readonly ExportedSession[];
	/** What is kept for clients without a session (2026-07-28): the state behind handles, and tasks. */
	readonly records: readonly ExportedRecord[];
}

/**
 * One handle or task of an export, without its id, which is a secret. Times are in milliseconds since the Unix epoch.
 */
export interface ExportedRecord {
	readonly kind: RecordKind;
	readonly createdAt: number;
	readonly lastUsedAt: number;
	readonly expiresAt?: number | undefined;
	readonly state: ExportedState;
}

/** Each value with its type. Bigints are decimal strings, bytes are base64. */
export type ExportedState = Readonly<Record<string, { readonly type: string; readonly value: unknown }>>;

/** One session of an export, without its id, which is a secret. */
export interface ExportedSession extends Omit<SessionSummary, 'id'> {
	readonly claims?: JsonObject | undefined;
	readonly protocolVersion: string;
	readonly initializeParams: JsonObject;
	readonly logLevel?: string | undefined;
	readonly subscriptions: readonly string[];
	readonly state: ExportedState;
}

/**
 * What is stored about a principal, over all sessions on all nodes, including ended ones that are still kept. Each
 * method rejects with `SessionManagerError` when the store is unavailable. Observers get each call for the audit, with
 * `note`.
 *
 * @example
 * ```ts source="test/examples/principal-data.examples.ts#list"
 * const sessions = await transport.principals.list(principal);
 * const active = sessions.filter(({ status }) => status === 'active');
 * ```
 */
export class PrincipalData {
	readonly #context: NodeContext;
	readonly #lifecycle: SessionLifecycle;

	constructor(context: NodeContext, lifecycle: SessionLifecycle) {
		this.#context = context;
		this.#lifecycle = lifecycle;
	}

	/** Returns the sessions of a principal (`session.principal`), oldest first; none for an unknown one. */
	list(principal: string, note?: AuditNote): Promise<SessionSummary[]> {
		return this.#audited('list', principal, note, async () => (await this.#find(principal)).map(summaryOf));
	}

	/**
	 * Returns everything that is stored about a principal, as one JSON document.
	 *
	 * @example
	 * ```ts source="test/examples/principal-data.examples.ts#export"
	 * const everything = await transport.principals.export(principal);
	 * const document = JSON.stringify(everything, undefined, 2);
	 * ```
	 */
	export(principal: string, note?: AuditNote): Promise<PrincipalExport> {
		return this.#audited('export', principal, note, async () => {
			const found = await this.#find(principal);
			const sessions = await Promise.all(found.map((session) => this.#exported(session)));
			const records = await Promise.all(RECORD_KINDS.map((kind) => this.#exportedRecords(kind, principal)));
			return { principal, exportedAt: this.#context.clock.now(), sessions, records: records.flat() };
		});
	}

	/**
	 * Ends every session of a principal on every node and erases everything that is stored of it, its handles and tasks
	 * too. Returns how many sessions there were.
	 *
	 * @example
	 * ```ts source="test/examples/principal-data.examples.ts#erase"
	 * const erased = await transport.principals.erase(principal);
	 * // `erased` sessions ended on every node, and nothing of them is stored any more.
	 * ```
	 */
	erase(principal: string, note?: AuditNote): Promise<number> {
		return this.#audited('erase', principal, note, async () => {
			const { info } = this.#context;
			const ids = await info.sessionsOf(principal);
			const others = await Promise.all(RECORD_KINDS.map((kind) => info.sessionsOf(principal, kind)));
			// A manager that does not know kinds returns all of them each time.
			await Promise.all([...new Set([...ids, ...others.flat()])].map((id) => this.#lifecycle.erase(id)));
			return ids.length;
		});
	}

	/**
	 * Does `work` with what else is kept about a principal, such as `conversations`, and tells observers of it as of the
	 * methods here: it was not done where `work` rejects.
	 */
	audit<T>(
		action: 'list' | 'export' | 'erase',
		principal: string,
		data: string,
		{ by, reason }: AuditNote,
		work: () => Promise<T>,
	): Promise<T> {
		return audited(this.#context, { action, principal, data, by, reason }, work);
	}

	#audited<T>(
		action: 'list' | 'export' | 'erase',
		principal: string,
		{ by, reason }: AuditNote = {},
		work: () => Promise<T>,
	): Promise<T> {
		return audited(this.#context, { action, principal, by, reason }, work);
	}

	async #exportedRecords(kind: RecordKind, principal: string): Promise<ExportedRecord[]> {
		const found = await this.#find(principal, kind);
		return Promise.all(
			found.map(async ({ record }) => ({
				kind,
				createdAt: record.createdAt,
				lastUsedAt: record.lastUsedAt,
				expiresAt: expiryOf(record),
				state: await this.#exportedState(record.id),
			})),
		);
	}

	async #find(principal: string, kind?: RecordKind): Promise<Found[]> {
		const { info } = this.#context;
		const ids = await info.sessionsOf(principal, kind);
		const found = await Promise.all(
			ids.map(async (id): Promise<Found | undefined> => {
				const record = await info.read(id);
				return record === undefined ? info.readEnded(id) : { record };
			}),
		);
		return found
			.filter((session) => session !== undefined)
			.filter(({ record }) => record.kind === kind)
			.sort((one, other) => one.record.createdAt - other.record.createdAt);
	}

	async #exported(found: Found): Promise<ExportedSession> {
		const { info } = this.#context;
		const { id, ...summary } = summaryOf(found);
		const { claims, protocolVersion, initializeParams, logLevel } = found.record;
		return {
			...summary,
			claims,
			protocolVersion,
			initializeParams,
			logLevel,
			subscriptions: await info.getSubscribedUris(id),
			state: await this.#exportedState(id),
		};
	}

	async #exportedState(id: string): Promise<ExportedState> {
		const stored = await this.#context.info.listState(id);
		const state = [...stored].map(([key, { value }]) => [key, exportedValue(decodeStateValue(value))] as const);
		return Object.fromEntries(state);
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
