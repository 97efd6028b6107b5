import type { MaybePromise } from '@holdfast/session-manager';
import { type SessionRecord, whenReady } from '@holdfast/session-manager/custom';
import type { NodeContext } from '../node/node-context.js';

/** What is kept in the store besides sessions: the state behind a handle, and tasks. */
export type RecordKind = 'handle' | 'task';

export const RECORD_KINDS: readonly RecordKind[] = Object.freeze(['handle', 'task']);

/** How long a record lives. */
export interface RecordLife {
	/** How long it lives unused, in milliseconds; absent: until it ends. */
	readonly idleTtlMs?: number | undefined;
	/** When it ends even if it is used, in milliseconds since the Unix epoch. */
	readonly endsAt: number;
}

/**
 * Records of one kind, each with an owner, an expiry and a state. The info manager keeps them beside its sessions.
 * Their ids begin with the kind and a space, which no session id that a client sends can contain.
 */
export class OwnedRecords {
	readonly #context: NodeContext;
	readonly #kind: RecordKind;

	constructor(context: NodeContext, kind: RecordKind) {
		this.#context = context;
		this.#kind = kind;
	}

	/** Returns the id under which the store keeps the record that a client names `id`. */
	storedId(id: string): string {
		return `${this.#kind} ${id}`;
	}

	/** Returns the id that a client names; `undefined` where `storedId` is of something else. */
	idOf(storedId: string): string | undefined {
		const prefix = this.storedId('');
		return storedId.startsWith(prefix) ? storedId.slice(prefix.length) : undefined;
	}

	/**
	 * Stores a record of `principal`, or of whoever knows its id, and returns it. Throws `SessionManagerError`
	 * `principal-limit` where the principal has `perPrincipal` of this kind.
	 */
	async create(
		id: string,
		principal: string | undefined,
		life: RecordLife,
		perPrincipal: number,
	): Promise<SessionRecord> {
		const now = this.#context.clock.now();
		const record: SessionRecord = {
			id: this.storedId(id),
			kind: this.#kind,
			...(principal !== undefined && { principal }),
			protocolVersion: '2026-07-28',
			initializeParams: { clientInfo: { name: this.#kind, version: '1' }, capabilities: {} },
			serverCapabilities: {},
			createdAt: now,
			lastUsedAt: now,
			...(life.idleTtlMs !== undefined && { idleTtlMs: life.idleTtlMs }),
			endsAt: life.endsAt,
		};
		const created = await this.#context.info.create(record, { perPrincipal });
		if (!created) throw new Error(`A new ${this.#kind} has an id that is taken.`);
		return record;
	}

	/** Returns the record of `principal`; `undefined` where there is none, or it is another's. */
	find(id: string, principal: string | undefined): MaybePromise<SessionRecord | undefined> {
		return whenReady(this.#context.info.read(this.storedId(id)), (record) =>
			record !== undefined && record.principal === principal ? record : undefined,
		);
	}

	/** Returns the ids of the records of `principal`, in no particular order. */
	async list(principal: string): Promise<string[]> {
		const ids = await this.#context.info.sessionsOf(principal, this.#kind);
		return ids.map((id) => this.idOf(id)).filter((id) => id !== undefined);
	}

	/** Removes a record with its state. Returns `false` where there is none. */
	delete(id: string): MaybePromise<boolean> {
		return this.#context.info.delete(this.storedId(id));
	}
}
