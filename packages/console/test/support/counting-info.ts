import { InMemoryInfoSessionManager, type SessionRecord } from '@holdfast/session-manager';
import type { MaybePromise } from '@holdfast/session-manager/custom';

/** Counts what is read of a store, and can be told to be away. */
export class CountingInfo extends InMemoryInfoSessionManager {
	reads: string[] = [];
	/** What every read fails with. */
	failure: Error | undefined;

	override read(id: string): SessionRecord | undefined {
		return this.#read('read', () => super.read(id));
	}

	override scan(cursor: string | undefined, limit: number) {
		return this.#read('scan', () => super.scan(cursor, limit));
	}

	override nodes() {
		return this.#read('nodes', () => super.nodes());
	}

	override sessionsOf(principal: string, kind?: string) {
		return this.#read('sessionsOf', () => super.sessionsOf(principal, kind));
	}

	override readEnded(id: string) {
		return this.#read('readEnded', () => super.readEnded(id));
	}

	override listState(id: string) {
		return this.#read('listState', () => super.listState(id));
	}

	override getSubscribedUris(id: string) {
		return this.#read('getSubscribedUris', () => super.getSubscribedUris(id));
	}

	#read<T extends MaybePromise<unknown>>(name: string, work: () => T): T {
		this.reads.push(name);
		if (this.failure !== undefined) throw this.failure;
		return work();
	}
}
