import { InMemoryInfoSessionManager } from '@holdfast/session-manager';
import {
	InfoSessionManager,
	type MaybePromise,
	type NodeRecord,
	type SessionLimits,
	type SessionPage,
	type SessionPatch,
	type SessionRecord,
	type SessionStatus,
	type StoredStateValue,
} from '@holdfast/session-manager/custom';
import type { ManagerFactory, PeerLimits } from '@holdfast/session-manager-test-kit';
import { inMemory } from './in-memory-factory.ts';

/** A healthy manager, each of whose answers a mutant may spoil. */
export class InfoWrapper extends InfoSessionManager {
	readonly #inner: InMemoryInfoSessionManager;

	constructor(limits?: PeerLimits, inner = new InMemoryInfoSessionManager(limits)) {
		super();
		this.#inner = inner;
	}

	/** The healthy one. */
	protected get inner(): InMemoryInfoSessionManager {
		return this.#inner;
	}

	/** How a session id is spelled in the store. */
	protected idOf(id: string): string {
		return id;
	}

	/** How a key of state is spelled in the store. */
	protected keyOf(key: string): string {
		return key;
	}

	create(record: SessionRecord, limits?: SessionLimits): MaybePromise<boolean> {
		return this.inner.create({ ...record, id: this.idOf(record.id) }, limits);
	}

	read(id: string): MaybePromise<SessionRecord | undefined> {
		return this.inner.read(this.idOf(id));
	}

	update(id: string, patch: SessionPatch, from?: SessionStatus): MaybePromise<boolean> {
		return this.inner.update(this.idOf(id), patch, from);
	}

	touch(id: string, usedAt: number): MaybePromise<boolean> {
		return this.inner.touch(this.idOf(id), usedAt);
	}

	delete(id: string): MaybePromise<boolean> {
		return this.inner.delete(this.idOf(id));
	}

	addSubscription(id: string, uri: string): MaybePromise<boolean> {
		return this.inner.addSubscription(this.idOf(id), uri);
	}

	removeSubscription(id: string, uri: string): MaybePromise<boolean> {
		return this.inner.removeSubscription(this.idOf(id), uri);
	}

	getSubscriptions(uri: string): MaybePromise<string[]> {
		return this.inner.getSubscriptions(uri);
	}

	getSubscribedUris(id: string): MaybePromise<string[]> {
		return this.inner.getSubscribedUris(this.idOf(id));
	}

	readState(id: string, key: string): MaybePromise<StoredStateValue | undefined> {
		return this.inner.readState(this.idOf(id), this.keyOf(key));
	}

	listState(id: string): MaybePromise<ReadonlyMap<string, StoredStateValue>> {
		return this.inner.listState(this.idOf(id));
	}

	writeState(id: string, key: string, expected: string | undefined, value: string | undefined): MaybePromise<boolean> {
		return this.inner.writeState(this.idOf(id), this.keyOf(key), expected, value);
	}

	scan(cursor: string | undefined, limit: number): MaybePromise<SessionPage> {
		return this.inner.scan(cursor, limit);
	}

	override end(id: string, at: number, reason: string): MaybePromise<boolean> {
		return this.inner.end(this.idOf(id), at, reason);
	}

	override endUnused(at: number, reason: string, principal?: string): MaybePromise<string | undefined> {
		return this.inner.endUnused(at, reason, principal);
	}

	override readEnded(id: string): ReturnType<InfoSessionManager['readEnded']> {
		return this.inner.readEnded(this.idOf(id));
	}

	override sessionsOf(principal: string, kind?: string): MaybePromise<string[]> {
		return this.inner.sessionsOf(principal, kind);
	}

	override acquireLease(name: string, holder: string, ttlMs: number): MaybePromise<boolean> {
		return this.inner.acquireLease(name, holder, ttlMs);
	}

	override releaseLease(name: string, holder: string): void {
		this.inner.releaseLease(name, holder);
	}

	override announceNode(node: NodeRecord, ttlMs: number): void {
		this.inner.announceNode(node, ttlMs);
	}

	override nodes(): NodeRecord[] {
		return this.inner.nodes();
	}

	override close(): void {
		this.inner.close();
	}
}

/** Info managers of one process. */
export function infoOnly(make: (limits?: PeerLimits) => InfoSessionManager): ManagerFactory {
	const abilities = ['info', 'keepsEnded', 'capacity', 'makesRoom', 'registry', 'kinds'] as const;
	return inMemory((limits) => ({ info: make(limits) }), abilities);
}
