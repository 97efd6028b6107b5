import { InMemoryInfoSessionManager, InMemoryStreamSessionManager } from '@holdfast/session-manager';
import {
	type Clock,
	InfoSessionManager,
	type MaybePromise,
	type SessionPage,
	type SessionPatch,
	type SessionRecord,
	type SessionStatus,
	type StoredStateValue,
	type StreamAttachment,
	type StreamController,
	type StreamCreateOptions,
	StreamSessionManager,
	systemClock,
} from '@holdfast/session-manager/custom';

const encoder = new TextEncoder();

/** The least that can be called a stream manager: it knows nothing of addresses, options, takeovers or lost clients. */
export class NaiveStreams extends StreamSessionManager {
	readonly controllers = new Map<string, StreamController>();

	create(id: string, controller: StreamController): MaybePromise<StreamAttachment | void> {
		this.controllers.set(id, controller);
	}

	delete(id: string): MaybePromise<void> {
		this.controllers.get(id)?.close();
		this.controllers.delete(id);
	}

	has(id: string): MaybePromise<boolean> {
		return this.controllers.has(id);
	}

	send(ids: readonly string[] | undefined, data: string): MaybePromise<void> {
		for (const id of ids ?? this.controllers.keys()) this.controllers.get(id)?.enqueue(encoder.encode(data));
	}
}

/** The same, with a store that takes its time for everything. */
export class LateStreams extends NaiveStreams {
	/** Each is opened faster than the one before, over and over, so that a later one would overtake. */
	#creations = 0;

	override async create(id: string, controller: StreamController): Promise<void> {
		for (let turn = 10 - 2 * (this.#creations++ % 5); turn > 0; turn--) await nextTurn();
		await super.create(id, controller);
	}

	override async delete(id: string): Promise<void> {
		for (let turn = 5; turn > 0; turn--) await nextTurn();
		await super.delete(id);
	}

	override async has(id: string): Promise<boolean> {
		await nextTurn();
		return super.has(id);
	}

	override async send(ids: readonly string[] | undefined, data: string): Promise<void> {
		await nextTurn();
		await super.send(ids, data);
	}
}

/**
 * Without history, and yet able to tell connections apart: the newest wins, and one that has gone takes nothing with
 * it.
 */
export class AttachingStreams extends NaiveStreams {
	override create(id: string, controller: StreamController): StreamAttachment {
		this.controllers.get(id)?.close();
		this.controllers.set(id, controller);
		return {
			continuation: 'fresh',
			detach: () => {
				if (this.controllers.get(id) === controller) this.controllers.delete(id);
			},
		};
	}
}

/** Streams in memory behind a store that takes its time for everything, and most for opening a stream. */
export class LateResumableStreams extends StreamSessionManager {
	readonly memory = new InMemoryStreamSessionManager();
	#creations = 0;

	override get resumable(): boolean {
		return true;
	}

	async create(id: string, controller: StreamController, options?: StreamCreateOptions): Promise<StreamAttachment> {
		for (let turn = 10 - 2 * (this.#creations++ % 5); turn > 0; turn--) await nextTurn();
		return this.memory.create(id, controller, options);
	}

	async delete(id: string): Promise<void> {
		await nextTurn();
		await this.memory.delete(id);
	}

	async has(id: string): Promise<boolean> {
		await nextTurn();
		return this.memory.has(id);
	}

	async send(ids: readonly string[] | undefined, data: string): Promise<void> {
		await nextTurn();
		await this.memory.send(ids, data);
	}
}

/** Sessions in memory behind a store that takes a turn for everything. */
export class AsynchronousInfo extends InfoSessionManager {
	readonly memory: InMemoryInfoSessionManager;

	constructor(clock: Clock = systemClock) {
		super();
		this.memory = new InMemoryInfoSessionManager({ clock });
	}

	async create(record: SessionRecord): Promise<boolean> {
		await nextTurn();
		return this.memory.create(record);
	}

	async read(id: string): Promise<SessionRecord | undefined> {
		await nextTurn();
		return this.memory.read(id);
	}

	async update(id: string, patch: SessionPatch, from?: SessionStatus): Promise<boolean> {
		await nextTurn();
		return this.memory.update(id, patch, from);
	}

	async touch(id: string, usedAt: number): Promise<boolean> {
		await nextTurn();
		return this.memory.touch(id, usedAt);
	}

	async delete(id: string): Promise<boolean> {
		await nextTurn();
		return this.memory.delete(id);
	}

	async addSubscription(id: string, uri: string): Promise<boolean> {
		await nextTurn();
		return this.memory.addSubscription(id, uri);
	}

	async removeSubscription(id: string, uri: string): Promise<boolean> {
		await nextTurn();
		return this.memory.removeSubscription(id, uri);
	}

	async getSubscriptions(uri: string): Promise<string[]> {
		await nextTurn();
		return this.memory.getSubscriptions(uri);
	}

	async getSubscribedUris(id: string): Promise<string[]> {
		await nextTurn();
		return this.memory.getSubscribedUris(id);
	}

	async readState(id: string, key: string): Promise<StoredStateValue | undefined> {
		await nextTurn();
		return this.memory.readState(id, key);
	}

	async listState(id: string): Promise<ReadonlyMap<string, StoredStateValue>> {
		await nextTurn();
		return this.memory.listState(id);
	}

	async writeState(id: string, key: string, expected: string | undefined, value: string | undefined): Promise<boolean> {
		await nextTurn();
		return this.memory.writeState(id, key, expected, value);
	}

	async scan(cursor: string | undefined, limit: number): Promise<SessionPage> {
		await nextTurn();
		return this.memory.scan(cursor, limit);
	}
}

function nextTurn(): Promise<void> {
	return new Promise((resolve) => setImmediate(resolve));
}
