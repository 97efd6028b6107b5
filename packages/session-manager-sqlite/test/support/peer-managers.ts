import {
	type EndedSession,
	InfoSessionManager,
	type NodeRecord,
	type SessionLimits,
	type SessionPage,
	type SessionPatch,
	type SessionRecord,
	type SessionStatus,
	type StoredStateValue,
	type StreamAttachment,
	type StreamContinuation,
	type StreamController,
	type StreamCreateOptions,
	StreamSessionManager,
} from '@holdfast/session-manager/custom';
import type { PeerProcess } from './peer-process.ts';

/** A process, which may be another one after a restart. */
export interface Place {
	readonly name: string;
	process: PeerProcess;
}

/** The stream manager of another process. */
export class PeerStreamSessionManager extends StreamSessionManager {
	readonly #place: Place;

	constructor(place: Place) {
		super();
		this.#place = place;
	}

	override get resumable(): boolean {
		return true;
	}

	override position(): Promise<string> {
		return this.#call('position');
	}

	async create(id: string, controller: StreamController, options: StreamCreateOptions = {}): Promise<StreamAttachment> {
		const { name, process } = this.#place;
		const { number, continuation } = await process.create(name, id, controller, options);
		const detach = () => void process.ask('detach', number).catch(() => {});
		return { continuation: continuation as StreamContinuation, detach };
	}

	delete(id: string): Promise<void> {
		return this.#call('delete', id);
	}

	has(id: string): Promise<boolean> {
		return this.#call('has', id);
	}

	send(ids: readonly string[] | undefined, data: string): Promise<void> {
		return this.#call('send', ids, data);
	}

	override expireIn(id: string, ms: number): Promise<void> {
		return this.#call('expireIn', id, ms);
	}

	override close(): Promise<void> {
		return this.#call('close');
	}

	#call<T>(method: string, ...args: unknown[]): Promise<T> {
		return this.#place.process.ask('call', this.#place.name, 'streams', method, args);
	}
}

/** The info manager of another process. */
export class PeerInfoSessionManager extends InfoSessionManager {
	readonly #place: Place;

	constructor(place: Place) {
		super();
		this.#place = place;
	}

	create(record: SessionRecord, limits?: SessionLimits): Promise<boolean> {
		return this.#call('create', record, limits);
	}

	read(id: string): Promise<SessionRecord | undefined> {
		return this.#call('read', id);
	}

	update(id: string, patch: SessionPatch, from?: SessionStatus): Promise<boolean> {
		return this.#call('update', id, patch, from);
	}

	touch(id: string, usedAt: number): Promise<boolean> {
		return this.#call('touch', id, usedAt);
	}

	delete(id: string): Promise<boolean> {
		return this.#call('delete', id);
	}

	addSubscription(id: string, uri: string): Promise<boolean> {
		return this.#call('addSubscription', id, uri);
	}

	removeSubscription(id: string, uri: string): Promise<boolean> {
		return this.#call('removeSubscription', id, uri);
	}

	getSubscriptions(uri: string): Promise<string[]> {
		return this.#call('getSubscriptions', uri);
	}

	getSubscribedUris(id: string): Promise<string[]> {
		return this.#call('getSubscribedUris', id);
	}

	readState(id: string, key: string): Promise<StoredStateValue | undefined> {
		return this.#call('readState', id, key);
	}

	listState(id: string): Promise<ReadonlyMap<string, StoredStateValue>> {
		return this.#call('listState', id);
	}

	writeState(id: string, key: string, expected: string | undefined, value: string | undefined): Promise<boolean> {
		return this.#call('writeState', id, key, expected, value);
	}

	scan(cursor: string | undefined, limit: number): Promise<SessionPage> {
		return this.#call('scan', cursor, limit);
	}

	override end(id: string, at: number, reason: string): Promise<boolean> {
		return this.#call('end', id, at, reason);
	}

	override endUnused(at: number, reason: string, principal?: string): Promise<string | undefined> {
		return this.#call('endUnused', at, reason, principal);
	}

	override readEnded(id: string): Promise<EndedSession | undefined> {
		return this.#call('readEnded', id);
	}

	override sessionsOf(principal: string, kind?: string): Promise<string[]> {
		return this.#call('sessionsOf', principal, kind);
	}

	override removeExpired(limit: number): Promise<number> {
		return this.#call('removeExpired', limit);
	}

	override acquireLease(name: string, holder: string, ttlMs: number): Promise<boolean> {
		return this.#call('acquireLease', name, holder, ttlMs);
	}

	override releaseLease(name: string, holder: string): Promise<void> {
		return this.#call('releaseLease', name, holder);
	}

	override announceNode(node: NodeRecord, ttlMs: number): Promise<void> {
		return this.#call('announceNode', node, ttlMs);
	}

	override nodes(): Promise<readonly NodeRecord[]> {
		return this.#call('nodes');
	}

	override close(): Promise<void> {
		return this.#call('close');
	}

	#call<T>(method: string, ...args: unknown[]): Promise<T> {
		return this.#place.process.ask('call', this.#place.name, 'info', method, args);
	}
}
